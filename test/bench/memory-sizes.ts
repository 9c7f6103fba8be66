import { coldStart } from './cold.ts';
import type { Contestant } from './contestants.ts';
import { billedMs, lambdaUsdPerMillion } from './cost.ts';
import { cpuShare, MB_PER_VCPU } from './cpu-share.ts';
import type { Endpoint } from './endpoint.ts';
import { startInstance } from './instance.ts';
import { mean, quantile } from './statistics.ts';

const SIZES_MB = [128, 256, 512, 1_024, MB_PER_VCPU];

/** How our function does with the CPU share of a memory size. Medians, milliseconds. */
export interface MemorySize {
  memoryMb: number;
  /** From Node's start. */
  firstReplyMs: number;
  /** The first invocation alone, after init at full CPU. */
  firstMs: number;
  warmP50Ms: number;
  warmP99Ms: number;
  /** Mean of the billed milliseconds of a warm delivery. */
  billedMs: number;
  /** What Lambda costs: a million warm deliveries; a million that each find a cold start, whose init is billed too. */
  warmUsdPerMillion: number;
  coldUsdPerMillion: number;
}

const WARM_UP = 50;
const DELIVERIES = 200;
/** Longer than the quota's period: a delivery finds its quota unused, as in an instance that waits for the next one. */
const PAUSE_MS = 25;

export async function measureMemorySizes(ours: Contestant, endpoint: Endpoint, rounds: number): Promise<MemorySize[]> {
  const coldStarts = SIZES_MB.map(() => [] as Awaited<ReturnType<typeof coldStart>>[]);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, memoryMb] of SIZES_MB.entries()) {
      coldStarts[index]?.push(await coldStart(ours, endpoint, memoryMb));
    }
  }
  const sizes: MemorySize[] = [];
  for (const [index, memoryMb] of SIZES_MB.entries()) {
    const median = (of: 'initMs' | 'firstMs' | 'toFirstMs') =>
      quantile(
        (coldStarts[index] ?? []).map((start) => start[of]),
        0.5,
      );
    const warmMs = await warmMilliseconds(ours, endpoint, memoryMb);
    const billed = mean(warmMs.map(billedMs));
    sizes.push({
      memoryMb,
      firstReplyMs: median('toFirstMs'),
      firstMs: median('firstMs'),
      warmP50Ms: quantile(warmMs, 0.5),
      warmP99Ms: quantile(warmMs, 0.99),
      billedMs: billed,
      warmUsdPerMillion: lambdaUsdPerMillion(billed, memoryMb),
      coldUsdPerMillion: lambdaUsdPerMillion(billedMs(median('toFirstMs')), memoryMb),
    });
  }
  return sizes;
}

async function warmMilliseconds(ours: Contestant, endpoint: Endpoint, memoryMb: number): Promise<number[]> {
  const share = cpuShare(memoryMb);
  try {
    const instance = await startInstance(ours, endpoint);
    share.limit(instance.pid);
    await instance.deliverMany(WARM_UP, PAUSE_MS);
    const { milliseconds } = await instance.deliverMany(DELIVERIES, PAUSE_MS);
    await instance.stop();
    return milliseconds;
  } finally {
    share.remove();
  }
}

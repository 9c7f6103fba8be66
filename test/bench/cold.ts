import type { Contestant } from './contestants.ts';
import { cpuShare } from './cpu-share.ts';
import type { Endpoint } from './endpoint.ts';
import { startInstance } from './instance.ts';
import type { Figures } from './measures.ts';

/** What one cold start took, in milliseconds from Node's own start; what the process waited for us is left out. */
export interface ColdStart {
  initMs: number;
  /** The first invocation alone. */
  firstMs: number;
  toFirstMs: number;
  toFirstCpuMs: number;
  toSecondMs: number;
  toSecondCpuMs: number;
  peakBytes: number;
}

/**
 * Starts a contestant and delivers twice.
 *
 * @param memoryMb after init it has the CPU share of this size; without it, the whole machine. Lambda gives init a whole
 * CPU or more whatever the size.
 */
export async function coldStart(contestant: Contestant, endpoint: Endpoint, memoryMb?: number): Promise<ColdStart> {
  const share = memoryMb === undefined ? undefined : cpuShare(memoryMb);
  try {
    const instance = await startInstance(contestant, endpoint);
    share?.limit(instance.pid);
    const first = await instance.deliver();
    const second = await instance.deliver();
    await instance.stop();
    const firstMs = first.end.ms - first.start.ms;
    const toFirstMs = instance.init.ms + firstMs;
    return {
      initMs: instance.init.ms,
      firstMs,
      toFirstMs,
      toFirstCpuMs: first.end.cpuUs / 1_000,
      toSecondMs: toFirstMs + second.end.ms - second.start.ms,
      toSecondCpuMs: second.end.cpuUs / 1_000,
      peakBytes: second.peakBytes,
    };
  } finally {
    share?.remove();
  }
}

/** One cold start at full CPU and, where the machine allows it, one at each share. */
export async function coldFigures(contestant: Contestant, endpoint: Endpoint, hasShares: boolean): Promise<Figures> {
  const { firstMs, toFirstMs, toFirstCpuMs, toSecondMs, toSecondCpuMs, peakBytes } = await coldStart(
    contestant,
    endpoint,
  );
  const full = { firstMs, toFirstMs, toFirstCpuMs, toSecondMs, toSecondCpuMs, coldPeakBytes: peakBytes };
  if (!hasShares) return full;
  const at512 = await coldStart(contestant, endpoint, 512);
  const at256 = await coldStart(contestant, endpoint, 256);
  return {
    ...full,
    firstMsAt512: at512.firstMs,
    toFirstMsAt512: at512.toFirstMs,
    toSecondMsAt512: at512.toSecondMs,
    firstMsAt256: at256.firstMs,
    toFirstMsAt256: at256.toFirstMs,
    toSecondMsAt256: at256.toSecondMs,
  };
}

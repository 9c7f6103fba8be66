import type { Endpoint } from './endpoint.ts';
import type { Contestant } from './contestants.ts';
import { startInstance } from './instance.ts';
import type { Figures } from './measures.ts';
import { quantile } from './statistics.ts';

/** Until V8 has compiled what is hot. */
const WARM_UP = 1_500;
/** Enough for garbage collections to be among them. */
const DELIVERIES = 500;

/**
 * One delivery after another, as an instance gets them, to one that has seen enough to be as fast as it gets. A new one
 * each time: what V8 makes of the same code differs by some percent from process to process.
 */
export async function warmFigures(contestant: Contestant, endpoint: Endpoint): Promise<Figures> {
  const instance = await startInstance(contestant, endpoint);
  await instance.deliverMany(WARM_UP);
  const { start, end, milliseconds, allocatedBytes, peakBytes } = await instance.deliverMany(DELIVERIES);
  await instance.stop();
  return {
    warmCpuUs: (end.cpuUs - start.cpuUs) / DELIVERIES,
    warmGarbageBytes: allocatedBytes / DELIVERIES,
    warmP50Ms: quantile(milliseconds, 0.5),
    warmP99Ms: quantile(milliseconds, 0.99),
    warmPeakBytes: peakBytes,
  };
}

import type { Endpoint } from './endpoint.ts';
import type { Contestant } from './contestants.ts';
import { startInstance, type Instance } from './instance.ts';
import type { Figures } from './measures.ts';
import { quantile } from './statistics.ts';

/** Until V8 has compiled what is hot. */
const WARM_UP = 1_500;
/** A round's deliveries, enough for garbage collections to be in every round. */
const DELIVERIES = 500;

/** An instance that has seen enough deliveries to be as fast as it gets. */
export async function warmInstance(contestant: Contestant, endpoint: Endpoint): Promise<Instance> {
  const instance = await startInstance(contestant, endpoint);
  await instance.deliverMany(WARM_UP);
  return instance;
}

/** One delivery after another, as an instance gets them. */
export async function warmFigures(instance: Instance): Promise<Figures> {
  const { start, end, milliseconds, allocatedBytes, peakBytes } = await instance.deliverMany(DELIVERIES);
  return {
    warmCpuUs: (end.cpuUs - start.cpuUs) / DELIVERIES,
    warmGarbageBytes: allocatedBytes / DELIVERIES,
    warmP50Ms: quantile(milliseconds, 0.5),
    warmP99Ms: quantile(milliseconds, 0.99),
    warmPeakBytes: peakBytes,
  };
}

import { bundle, type Contestant } from './contestants.ts';
import type { Endpoint } from './endpoint.ts';
import { runInstance } from './instance.ts';
import { median, type Forwarding } from './result.ts';

const WARM_UP = 1_500;
const DELIVERIES = 500;

/** Compares OURS with `forwardUrl` with itself without it, and with a function that only sends the request on. */
export async function measureForwarding(ours: Contestant, endpoint: Endpoint, directory: string, rounds: number) {
  const environment = { ...ours.environment, FORWARD_URL: `${endpoint.url}/hook` };
  const forwarding = { ...ours, environment };
  const direct = { ...forwarding, file: await bundle('direct', directory), handlerName: 'handler' };
  const taken: Pick<Forwarding, 'stored' | 'forwarded' | 'direct'>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const figures = async (contestant: Contestant, isForwarded: boolean) => {
      const options = { warmUp: WARM_UP, deliveries: DELIVERIES, isForwarded };
      const { start, end, medianMs } = await runInstance(contestant, endpoint, options);
      return { cpuUs: (end.cpuUs - start.cpuUs) / DELIVERIES, medianMs };
    };
    taken.push({
      stored: await figures(ours, false),
      forwarded: await figures(forwarding, true),
      direct: await figures(direct, true),
    });
  }
  const medianOf = (figure: (round: (typeof taken)[number]) => number) => median(taken.map(figure));
  const both = (name: 'stored' | 'forwarded' | 'direct') => ({
    cpuUs: medianOf((round) => round[name].cpuUs),
    medianMs: medianOf((round) => round[name].medianMs),
  });
  return {
    stored: both('stored'),
    forwarded: both('forwarded'),
    direct: both('direct'),
    cpuRatio: medianOf(({ stored, forwarded }) => forwarded.cpuUs / stored.cpuUs),
    addedMs: medianOf(({ forwarded, direct: sent }) => forwarded.medianMs - sent.medianMs),
  } satisfies Forwarding;
}

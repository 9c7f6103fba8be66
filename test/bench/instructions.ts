import { spawnSync } from 'node:child_process';
import type { Contestant } from './contestants.ts';
import type { Endpoint } from './endpoint.ts';
import { startInstance } from './instance.ts';
import type { Figures } from './measures.ts';

// Fair: else a thread may spin for another one that valgrind doesn't let run, the longer the busier the machine is.
const CALLGRIND = ['valgrind', '--fair-sched=yes', '--tool=callgrind', '--callgrind-out-file=/dev/null'];

/**
 * Counts the instructions of a whole process, all its threads, that ends with its first reply. Of all figures of a
 * cold start the steadiest: neither the machine nor its load is in it.
 *
 * @throws where the delivery was not stored with one write, so that something else was measured.
 */
export async function countInstructions(contestant: Contestant, endpoint: Endpoint): Promise<Figures> {
  await endpoint.takeRequests();
  const instance = await startInstance(contestant, endpoint, CALLGRIND);
  await instance.deliver();
  const [, instructions] = /Collected : (\d+)/.exec(await instance.stop()) ?? [];
  if (instructions === undefined) throw new Error('valgrind printed no count');
  const { UpdateItem: writes = 0, SendMessage: parked = 0 } = await endpoint.takeRequests();
  if (contestant.name !== 'floor' && (writes !== 1 || parked > 0)) {
    throw new Error(`${contestant.name} made ${writes} writes and parked ${parked} deliveries instead of one write`);
  }
  return { instructions: Number(instructions) };
}

/** @returns undefined where it is installed. */
export function whyNoValgrind(): string | undefined {
  return spawnSync('valgrind', ['--version']).error === undefined
    ? undefined
    : 'valgrind, which counts instructions, is not installed: apt-get install valgrind';
}

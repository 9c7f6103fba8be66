import { coldFigures } from './cold.ts';
import { bundleContestants, CONTESTANTS, type Contestant, type ContestantName } from './contestants.ts';
import { whyNoCpuShare } from './cpu-share.ts';
import { startEndpoint } from './endpoint.ts';
import { countInstructions, whyNoValgrind } from './instructions.ts';
import type { Figures, Round } from './measures.ts';
import { measureMemorySizes } from './memory-sizes.ts';
import { machine, rounded, summarize, type Result } from './result.ts';
import { measureThroughput } from './throughput.ts';
import { warmFigures } from './warm.ts';

/** Instructions hardly vary, and take longest. */
const MAX_INSTRUCTION_ROUNDS = 5;
/** The table needs to tell memory sizes apart, not percents. */
const MAX_MEMORY_ROUNDS = 5;

export interface MeasureOptions {
  rounds: number;
  /** Instructions and bytes alone. */
  isQuick: boolean;
  /** A directory for the bundles and the certificate. */
  scratch: string;
  progress: (what: string) => void;
  /** Ends it before the next turn. */
  signal: AbortSignal;
}

/** Takes every measure of every contestant, turn by turn against one endpoint. */
export async function measure({ rounds, isQuick, scratch, progress, signal }: MeasureOptions): Promise<Result> {
  const on = machine();
  await using started = new AsyncDisposableStack();
  progress('bundling');
  const { contestants, dispose } = await bundleContestants(scratch);
  started.defer(dispose);
  const endpoint = await startEndpoint(scratch);
  started.defer(endpoint.stop);

  const noValgrind = whyNoValgrind();
  const noShares = isQuick ? undefined : whyNoCpuShare();
  const leftOut = [noValgrind, noShares].filter((why) => why !== undefined);

  const turns = async (what: string, count: number, figures: (contestant: Contestant) => Promise<Figures>) => {
    const taken: Round[] = [];
    for (let round = 0; round < count; round += 1) {
      progress(`${what}, round ${round + 1} of ${count}`);
      signal.throwIfAborted();
      taken.push(await turn(round, (name) => figures(contestants[name])));
    }
    return taken;
  };

  const bytes = await turn(0, async (name) => sizes(contestants[name]));
  const instructions =
    noValgrind === undefined
      ? await turns('instructions', Math.min(rounds, MAX_INSTRUCTION_ROUNDS), (contestant) =>
          countInstructions(contestant, endpoint),
        )
      : [];
  const quickRounds = [bytes, ...instructions];
  if (isQuick) return rounded({ ...on, rounds, measures: summarize(quickRounds), memorySizes: [], leftOut });

  const hasShares = noShares === undefined;
  const cold = await turns('cold', rounds, (contestant) => coldFigures(contestant, endpoint, hasShares));
  const warm = await turns('warm', rounds, (contestant) => warmFigures(contestant, endpoint));
  progress('memory sizes');
  const memorySizes = hasShares
    ? await measureMemorySizes(contestants.ours, endpoint, Math.min(rounds, MAX_MEMORY_ROUNDS))
    : [];
  progress('npm start');
  const throughput = await measureThroughput();
  const measures = summarize([...quickRounds, ...cold, ...warm]);
  const { SendMessage: parked = 0 } = await endpoint.takeRequests();
  return rounded({ ...on, rounds, measures, memorySizes, throughput, parked, leftOut });
}

/** Each has its turn, and another one begins each time: what a turn does to the machine hits all alike. */
async function turn(round: number, figures: (name: ContestantName) => Promise<Figures>): Promise<Round> {
  const first = round % CONTESTANTS.length;
  const taken: Partial<Round> = {};
  for (const name of [...CONTESTANTS.slice(first), ...CONTESTANTS.slice(0, first)]) taken[name] = await figures(name);
  return taken as Round;
}

function sizes({ entryBytes, bundleBytes }: Contestant): Figures {
  return { entryBytes, bundleBytes };
}

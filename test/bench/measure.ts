import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { synthesize } from '../../infra/local/synthesize.ts';
import { bundleContestants, type Contestant } from './contestants.ts';
import { allowsCpuShares } from './cpu-share.ts';
import { startEndpoint, type Endpoint } from './endpoint.ts';
import event from './event.json' with { type: 'json' };
import { runInstance } from './instance.ts';
import { NAMES, summarize, type Figures, type Result, type Round } from './result.ts';

/** Instructions hardly vary and take longest, so that later rounds leave them out. */
const INSTRUCTION_ROUNDS = 5;
/** Deliveries before V8 has compiled the hot code. */
const WARM_UP = 1_500;
/** Deliveries that are measured: enough for several garbage collections. */
const WARM = 500;
/** Without fair scheduling a thread may spin while it waits for one that valgrind does not run. */
const CALLGRIND = ['valgrind', '--fair-sched=yes', '--tool=callgrind', '--callgrind-out-file=/dev/null'];

/**
 * Measures all contestants in turns.
 *
 * @param isQuick measures only instructions and sizes.
 * @throws if the signal is aborted.
 */
export async function measure(rounds: number, isQuick: boolean, signal: AbortSignal): Promise<Result> {
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? '', cores: cpus().length, load: loadavg()[0] };
  const [hasValgrind, hasShares] = [!spawnSync('valgrind', ['--version']).error, !isQuick && allowsCpuShares()];
  await using started = new AsyncDisposableStack();
  const scratch = mkdtempSync(join(tmpdir(), 'tencent-chat-bench-'));
  started.defer(() => rmSync(scratch, { recursive: true }));
  const spec = await synthesize({ sdkAppId: event.queryStringParameters.SdkAppid });
  const { contestants, dispose } = await bundleContestants(scratch, spec);
  started.defer(dispose);
  const endpoint = await startEndpoint(scratch);
  started.defer(endpoint.stop);

  const taken: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const figures: Partial<Round> = {};
    // Another contestant starts each round: what one of them does to the machine affects all alike.
    for (const name of [...NAMES.slice(round % NAMES.length), ...NAMES.slice(0, round % NAMES.length)]) {
      process.stderr.write(`round ${round + 1} of ${rounds}, ${name.toUpperCase()}\n`);
      signal.throwIfAborted();
      const contestant = contestants[name];
      figures[name] = {
        ...(hasValgrind && round < INSTRUCTION_ROUNDS && (await countInstructions(contestant, endpoint))),
        ...(!isQuick && (await measureTimes(contestant, endpoint, hasShares))),
        entryBytes: statSync(contestant.file).size,
      };
    }
    taken.push(figures as Round);
  }
  const leftOut: string[] = [];
  if (!hasValgrind) leftOut.push('instructions, without valgrind (apt-get install valgrind)');
  if (!hasShares && !isQuick) leftOut.push('512 and 256 MB, without the right to create control groups (root)');
  const date = new Date().toISOString().slice(0, 10);
  const result = { date, ...machine, rounds, measures: summarize(taken), leftOut };
  // Rounded here, so that the same figures are printed, written and checked.
  const round = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  return JSON.parse(JSON.stringify(result, round));
}

/** Counts the instructions of all threads from the start of the process to the first reply. */
async function countInstructions(contestant: Contestant, endpoint: Endpoint): Promise<Figures> {
  const { stderr } = await runInstance(contestant, endpoint, { wrapper: CALLGRIND });
  const [, instructions] = /Collected : (\d+)/.exec(stderr) ?? [];
  if (instructions === undefined) throw new Error(`valgrind printed no count: ${stderr}`);
  return { instructions: Number(instructions) };
}

async function measureTimes(contestant: Contestant, endpoint: Endpoint, hasShares: boolean): Promise<Figures> {
  const figures: Figures = {};
  for (const memoryMb of hasShares ? ([undefined, 512, 256] as const) : [undefined]) {
    const size = memoryMb === undefined ? ('' as const) : (`At${memoryMb}` as const);
    const { init, start, end, peakBytes } = await runInstance(contestant, endpoint, { memoryMb });
    figures[`firstMs${size}`] = end.ms - start.ms;
    figures[`toFirstMs${size}`] = init.ms + end.ms - start.ms;
    figures.coldPeakBytes ??= peakBytes;
  }
  const { cpuUs, peakBytes } = await measureWarm(contestant, endpoint);
  Object.assign(figures, { warmCpuUs: cpuUs, warmPeakBytes: peakBytes });
  if (contestant.name !== 'ours') return figures;
  const environment = { ...contestant.environment, FORWARD_URL: `${endpoint.url}/hook` };
  const forwarded = await measureWarm({ ...contestant, environment }, endpoint, true);
  const [forwardedCpuUs, forwardedMs] = [forwarded.cpuUs, forwarded.medianMs];
  return { ...figures, forwardedCpuUs, forwardedMs, forwardedShare: forwardedCpuUs / cpuUs };
}

/** Returns the CPU time and the median time of a warm delivery. */
async function measureWarm(contestant: Contestant, endpoint: Endpoint, isForwarded = false) {
  const options = { deliveries: WARM, warmUp: WARM_UP, isForwarded };
  const { start, end, medianMs, peakBytes } = await runInstance(contestant, endpoint, options);
  return { cpuUs: (end.cpuUs - start.cpuUs) / WARM, medianMs, peakBytes };
}

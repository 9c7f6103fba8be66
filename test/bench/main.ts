import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProgram, run, userPath, wholeNumber } from '../../infra/cli/command-line.ts';
import { UsageError } from '../../infra/cli/errors.ts';
import { OTHER_NAMES, OTHERS } from './contestants.ts';
import { measure } from './measure.ts';
import { plot } from './plot.ts';
import { withFigures } from './readme.ts';
import type { Result } from './result.ts';
import { costTable, measuresTable, memorySizesTable, targetsTable } from './tables.ts';
import { checkTargets } from './targets.ts';

const ROOT = join(import.meta.dirname, '../..');
const ROUNDS = { full: 15, quick: 3 };

const program = createProgram(
  'npm run bench --',
  `Measures this function (OURS) against others: ${OTHER_NAMES.map((name) => `${name.toUpperCase()} ${OTHERS[name]}`).join('; ')}`,
)
  .option(
    '--rounds <n>',
    `how many turns each of them has (default: ${ROUNDS.full}, about 7 minutes; with --quick ${ROUNDS.quick}, about 1)`,
    wholeNumber(1, 1_000),
  )
  .option('--quick', "only what doesn't depend on the machine: instructions of a cold start, bytes of the bundle")
  .option('--check', 'exit code 1 where a target is not met; with --quick, where a budget is not: × FLOOR, and bytes')
  .option(
    '--out <dir>',
    'where to write result.json and result.svg (default: test/bench; with --quick nowhere)',
    userPath,
  )
  .option('--readme', 'measures nothing: puts the figures of DIR/result.json into test/bench/README.md')
  .addHelpText(
    'after',
    `
Instructions need valgrind (apt-get install valgrind), the CPU shares of small memory sizes need the right to make
control groups (root on Linux), TLS needs openssl. What is missing but openssl is said and left out.
Close other programs: all but the instructions depends on the machine. Ratios are taken within each round.`,
  )
  .action(async ({ rounds, quick = false, check, out, readme }) => {
    const results = join(ROOT, 'test/bench');
    const directory = out ?? (quick ? undefined : results);
    if (readme) {
      if (rounds !== undefined || quick || check) throw new UsageError('--readme goes with --out alone');
      return fillReadme(directory ?? results);
    }
    if (directory !== undefined) makeDirectory(directory); // before the minutes of measuring
    const count = rounds ?? (quick ? ROUNDS.quick : ROUNDS.full);
    const signal = abortOnSignal();
    const result = await inScratchDirectory((scratch) =>
      measure({ rounds: count, isQuick: quick, scratch, progress, signal }),
    ).catch((error) => {
      if (!signal.aborted) throw error;
    });
    if (result === undefined) return void (process.exitCode = 130); // as the shell says it of Ctrl-C
    print(result);
    if (directory !== undefined) write(directory, result);
    const targets = checkTargets(result);
    console.log(`\n${targetsTable(targets)}`);
    if (check && targets.some(({ isMissed, isBudget }) => isMissed && (isBudget || !quick))) process.exitCode = 1;
  });

await run(program);

/** Processes, control groups and files are cleared away before the end: the contestants die of Ctrl-C themselves. */
function abortOnSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => controller.abort());
  return controller.signal;
}

async function inScratchDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'tencent-chat-bench-'));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function progress(what: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${what}` : `${what}\n`);
}

function print(result: Result): void {
  progress('');
  console.log(measuresTable(result));
  if (result.memorySizes.length > 0) console.log(`\n${memorySizesTable(result)}\n\n${costTable(result)}`);
  if (result.throughput !== undefined) console.log(`\nnpm start: ${result.throughput.perSecond} deliveries a second`);
  if (result.parked) console.log(`\n${result.parked} deliveries ran into our own time limits and were parked`);
  if (result.loadBefore > 0.5)
    console.log(`\nThe machine was busy (load ${result.loadBefore}): don't trust milliseconds`);
  for (const why of result.leftOut) console.log(`\nLeft out: ${why}`);
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new UsageError(`--out can't be used: ${(error as Error).message}`);
  }
}

function write(directory: string, result: Result): void {
  writeFileSync(join(directory, 'result.json'), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(join(directory, 'result.svg'), plot(result));
}

function readResult(file: string): Result {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} can't be read: ${(error as Error).message}`);
  }
}

async function fillReadme(directory: string): Promise<void> {
  const result = readResult(join(directory, 'result.json'));
  const file = join(import.meta.dirname, 'README.md');
  writeFileSync(file, withFigures(readFileSync(file, 'utf8'), result));
}

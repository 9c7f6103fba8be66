import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProgram, run } from '../../infra/cli/command-line.ts';
import { measure } from './measure.ts';
import { plot } from './plot.ts';
import { missedTargets, table } from './result.ts';

const program = createProgram(
  'npm run bench --',
  'Measures this function (OURS) and three others (FLOOR, PLAIN, SAME). test/bench/README.md describes them.',
)
  .option('--quick', 'measure only what does not depend on the machine, instructions and sizes; 1 minute instead of 7')
  .option(
    '--check',
    'exit with code 1 if a target is not met; with --quick, only instructions × FLOOR and the size count',
  )
  .option('--write', 'write result.json and result.svg to test/bench')
  .addHelpText(
    'after',
    `
It needs openssl. Without valgrind, or the right to create control groups (root on Linux), it leaves measures out and
says which. Close other programs, because all figures but instructions and sizes depend on the load.`,
  )
  .action(async ({ quick: isQuick = false, check, write }) => {
    // A signal ends the bench after the current measurement, so that processes, control groups and files are removed.
    const controller = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => controller.abort());
    try {
      const result = await measure(isQuick ? 3 : 15, isQuick, controller.signal);
      const { date, node, cpu, cores, load, rounds, leftOut } = result;
      console.log(`${date}, Node ${node}, ${cpu}, ${cores} cores, load ${load}, medians of ${rounds} rounds:`);
      console.log(`\n${await table(result.measures)}`);
      for (const measures of leftOut) console.log(`Not measured: ${measures}`);
      if (write) {
        writeFileSync(join(import.meta.dirname, 'result.json'), `${JSON.stringify(result, null, 2)}\n`);
        writeFileSync(join(import.meta.dirname, 'result.svg'), plot(result));
      }
      if (check && missedTargets(result.measures, isQuick).length > 0) process.exitCode = 1;
    } catch (error) {
      if (!controller.signal.aborted) throw error;
      process.exitCode = 130; // the shell's code for Ctrl-C
    }
  });

await run(program);

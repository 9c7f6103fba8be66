import { MEMORY_MB } from './instance.ts';
import type { Result } from './result.ts';
import { costNote, costTable, measuresTable, memorySizesTable, targetsTable } from './tables.ts';
import { checkTargets } from './targets.ts';

/** What stands in test/bench/README.md between `<!-- bench: NAME -->` and `<!-- bench: end -->`. */
const BLOCKS: Record<string, (result: Result) => string> = {
  measures: (result) => `${machineLine(result)}\n\n${measuresTable(result)}`,
  targets: (result) => targetsTable(checkTargets(result)),
  'memory sizes': (result) => `The stack gives the receiver ${MEMORY_MB} MB.\n\n${memorySizesTable(result)}`,
  cost: (result) => `${costTable(result) ?? ''}\n\n${costNote(result)}`,
  'npm start': ({ throughput }) =>
    throughput === undefined
      ? ''
      : `\`npm start\` on that machine takes ${throughput.perSecond.toLocaleString('en')} deliveries a second from the sender (${throughput.concurrency} at a time; p50 ${throughput.p50Ms} ms, p99 ${throughput.p99Ms} ms).`,
};

/**
 * Puts a result's figures into the README.
 *
 * @throws where a block is not in it.
 */
export function withFigures(readme: string, result: Result): string {
  return Object.entries(BLOCKS).reduce((text, [name, block]) => {
    const place = new RegExp(`(<!-- bench: ${name} -->\n)[^]*?(<!-- bench: end -->)`);
    if (!place.test(text)) throw new Error(`the README has no place for '${name}'`);
    return text.replace(place, (_, start, end) => `${start}\n${block(result)}\n\n${end}`);
  }, readme);
}

function machineLine({ date, node, cpu, cores, rounds }: Result): string {
  return `${date}, Node ${node}, ${cpu}, ${cores} cores, medians of ${rounds} interleaved rounds:`;
}

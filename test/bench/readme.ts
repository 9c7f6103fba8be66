import type { Result } from './result.ts';
import { costNote, costTable, measuresTable, memorySizesTable } from './tables.ts';

/** What stands in the README between `<!-- bench: NAME -->` and `<!-- bench: end -->`. */
const BLOCKS: Record<string, (result: Result) => string> = {
  measures: (result) => `${machineLine(result)}\n\n${measuresTable(result)}`,
  'memory sizes': memorySizesTable,
  cost: (result) => `${costTable(result) ?? ''}\n\n${costNote(result)}`,
  'npm start': ({ throughput }) =>
    throughput === undefined
      ? ''
      : `\`npm start\` on that machine takes ${throughput.perSecond.toLocaleString('en')} deliveries a second from the sender (${throughput.concurrency} at a time; p50 ${throughput.p50Ms} ms, p99 ${throughput.p99Ms} ms).`,
};

/**
 * The README with this result's figures.
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

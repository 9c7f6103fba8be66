import { DYNAMODB_MS, LOG_BYTES, usdPerMillion, usdPerMonth } from './cost.ts';
import { digits, MEASURES, withUnit, type MeasureName } from './measures.ts';
import type { Result } from './result.ts';
import type { Checked } from './targets.ts';

/** The memory size that the stack gives the function, for which the cost is reckoned. */
const MEMORY_MB = 512;
const RATES = [1, 100, 1_000];

/** Every measure of every contestant, and ours against theirs. */
export function measuresTable({ measures }: Pick<Result, 'measures'>): string {
  const names = Object.keys(MEASURES) as MeasureName[];
  const rows = names.flatMap((name) => {
    const measure = measures[name];
    if (measure === undefined) return [];
    const { what, unit } = MEASURES[name];
    const { median, low, high } = measure.oursToPlain;
    const absolute = [measure.floor, measure.plain, measure.ours].map((spread) => withUnit(spread.median, unit));
    const range = low === high ? '' : ` (${digits(low)} to ${digits(high)})`;
    const toFloor = measure.oursToFloor.median < 100 ? digits(measure.oursToFloor.median) : ''; // a bundle of nothing
    return [[what, ...absolute, toFloor, `${digits(median)}${range}`]];
  });
  return table(['medians', 'FLOOR', 'PLAIN', 'OURS', 'OURS / FLOOR', 'OURS / PLAIN (quartiles)'], rows);
}

export function memorySizesTable({ memorySizes }: Pick<Result, 'memorySizes'>): string {
  const rows = memorySizes.map((size) => [
    `${size.memoryMb} MB`,
    `${digits(size.firstReplyMs)} ms`,
    `${digits(size.firstMs)} ms`,
    `${digits(size.warmP50Ms)} ms`,
    `${digits(size.warmP99Ms)} ms`,
    `$${size.warmUsdPerMillion.toFixed(2)}`,
    `$${size.coldUsdPerMillion.toFixed(2)}`,
  ]);
  const cold = ['cold: start to first reply', 'of it the first invocation'];
  const price = ['a million warm', 'a million cold'];
  return table(['memory size', ...cold, 'warm p50', 'warm p99', ...price], rows);
}

/** @returns undefined where the machine could not measure what the cost depends on. */
export function costTable({ memorySizes }: Pick<Result, 'memorySizes'>): string | undefined {
  const size = memorySizes.find(({ memoryMb }) => memoryMb === MEMORY_MB);
  if (size === undefined) return undefined;
  const costs = RATES.map((perSecond) => usdPerMillion(size.billedMs, MEMORY_MB, perSecond));
  const totals = costs.map((parts) => Object.values(parts).reduce((sum, usd) => sum + usd, 0));
  const rows = Object.keys(costs[0] ?? {}).map((part) => [
    part,
    ...costs.map((parts) => `$${parts[part]?.toFixed(2)}`),
  ]);
  rows.push(['**all, a million deliveries**', ...totals.map((usd) => `**$${usd.toFixed(2)}**`)]);
  const months = totals.map((usd, index) => usdPerMonth(usd, RATES[index] ?? 0));
  rows.push(['all, a month', ...months.map((usd) => `$${Math.round(usd).toLocaleString('en')}`)]);
  return table(['a million deliveries, at', ...RATES.map((rate) => `${rate.toLocaleString('en')} a second`)], rows);
}

/** What the cost table takes for granted. */
export function costNote({ memorySizes }: Pick<Result, 'memorySizes'>): string {
  const { billedMs = NaN } = memorySizes.find(({ memoryMb }) => memoryMb === MEMORY_MB) ?? {};
  return (
    `Lambda: ${MEMORY_MB} MB, ${digits(billedMs)} ms billed a delivery, of them ${DYNAMODB_MS} assumed for DynamoDB, which ` +
    `answers at once here. Logs: ${LOG_BYTES.toLocaleString('en')} bytes a delivery, assumed.`
  );
}

export function targetsTable(checked: readonly Checked[]): string {
  const verdict = ({ value, isMissed }: Checked) =>
    value === undefined ? 'not measured' : isMissed ? 'not met' : 'met';
  const rows = checked.map((target) => {
    const { measure, of, value, atMost } = target;
    const { what, unit } = MEASURES[measure];
    const format = (number: number) => (of === 'ours' ? withUnit(number, unit) : number.toFixed(3));
    const against = { ours: '', oursToFloor: ', × FLOOR', oursToPlain: ', × PLAIN' }[of];
    const known = measure.endsWith('At512') ? ', 512 MB' : measure.endsWith('At256') ? ', 256 MB' : '';
    const subject = known === '' ? what : `${MEASURES[measure.slice(0, -5) as MeasureName].what}${known}`;
    return [subject + against, format(atMost), value === undefined ? '' : format(value), verdict(target)];
  });
  return table(['target', 'at most', 'measured', ''], rows);
}

/** A Markdown table as prettier writes it: it reads well in a terminal, too. Figures stand to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(3, ...[header, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const pad = (row: readonly string[]) =>
    line(row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))));
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [pad(header), line(rule), ...rows.map(pad)].join('\n');
}

import { CONTESTANTS, OTHER_NAMES } from './contestants.ts';
import { DYNAMODB_MS, lambdaUsdPerMillion, LOG_BYTES, usdPerMillion, usdPerMonth } from './cost.ts';
import { digits, MEASURES, withUnit, type MeasureName } from './measures.ts';
import { MEMORY_MB } from './instance.ts';
import type { Result } from './result.ts';
import type { Spread } from './statistics.ts';
import type { Checked } from './targets.ts';

const RATES = [1, 100, 1_000];

/** Makes the table of every measure of every contestant, and of ours against each of the others'. */
export function measuresTable({ measures }: Pick<Result, 'measures'>): string {
  const names = Object.keys(MEASURES) as MeasureName[];
  const rows = names.flatMap((name) => {
    const measure = measures[name];
    if (measure === undefined) return [];
    const { what, unit } = MEASURES[name];
    const medians = CONTESTANTS.map((contestant) => withUnit(measure.of[contestant].median, unit));
    return [[what, ...medians, ...OTHER_NAMES.map((other) => ratio(measure.oursTo[other]))]];
  });
  const ratios = OTHER_NAMES.map((other) => `OURS / ${other.toUpperCase()}`);
  return table(['medians', ...CONTESTANTS.map((contestant) => contestant.toUpperCase()), ...ratios], rows);
}

/** The median between the quartiles; nothing where a hundred times as much says only that the other does nothing. */
function ratio({ median, low, high }: Spread): string {
  if (median >= 100) return '';
  return low === high ? digits(median) : `${digits(median)} (${digits(low)} to ${digits(high)})`;
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

/** Says what the cost table takes for granted. */
export function costNote({ memorySizes }: Pick<Result, 'memorySizes'>): string {
  const usdAt = (billed: number) => lambdaUsdPerMillion(billed, MEMORY_MB);
  const { billedMs = NaN } = memorySizes.find(({ memoryMb }) => memoryMb === MEMORY_MB) ?? {};
  return (
    `Lambda: ${MEMORY_MB} MB, ${digits(billedMs)} ms billed a delivery, of them ${DYNAMODB_MS} assumed for DynamoDB, which ` +
    `answers at once here; each 10 ms more cost $${(usdAt(billedMs + 10) - usdAt(billedMs)).toFixed(2)} a million. ` +
    `Logs: ${LOG_BYTES.toLocaleString('en')} bytes a delivery, assumed.`
  );
}

export function targetsTable(checked: readonly Checked[]): string {
  const verdict = ({ value, isMissed }: Checked) =>
    value === undefined ? 'not measured' : isMissed ? 'not met' : 'met';
  const rows = checked.map((target) => {
    const { measure, oursTo, value, atMost } = target;
    const { what, unit } = MEASURES[measure];
    const format = (number: number) => (oursTo === undefined ? withUnit(number, unit) : number.toFixed(3));
    const against = oursTo === undefined ? '' : `, × ${oursTo.toUpperCase()}`;
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

import { format } from 'prettier';

/** The functions that are measured. README.md describes them. */
export const NAMES = ['floor', 'plain', 'same', 'ours'] as const;
export type ContestantName = (typeof NAMES)[number];
/** Columns of the result: figures of each contestant, and ratios of OURS to the others. */
const COLUMNS = [...NAMES, 'ours/floor', 'ours/plain', 'ours/same'] as const;

/** What is measured of each contestant. Less is better. */
export const MEASURES = {
  instructions: { what: 'cold start to first reply, instructions', unit: 'M' },
  toFirstMs: { what: 'cold start to first reply', unit: 'ms' },
  toFirstMsAt512: { what: 'cold start to first reply, 512 MB', unit: 'ms' },
  toFirstMsAt256: { what: 'cold start to first reply, 256 MB', unit: 'ms' },
  firstMs: { what: 'first invocation', unit: 'ms' },
  firstMsAt512: { what: 'first invocation, 512 MB', unit: 'ms' },
  firstMsAt256: { what: 'first invocation, 256 MB', unit: 'ms' },
  coldPeakBytes: { what: 'cold start, peak memory', unit: 'MB' },
  warmCpuUs: { what: 'warm delivery, CPU', unit: 'µs' },
  warmPeakBytes: { what: 'warm deliveries, peak memory', unit: 'MB' },
  entryBytes: { what: 'size of the entry', unit: 'kB' },
  forwardedCpuUs: { what: 'forwarded delivery, CPU', unit: 'µs' },
  forwardedShare: { what: 'forwarded delivery, CPU / warm delivery, CPU', unit: '' },
  forwardedMs: { what: 'forwarded delivery, median time', unit: 'ms' },
} as const;
const DIVISORS = { M: 1e6, MB: 1e6, kB: 1e3, ms: 1, µs: 1, '': 1 };
export type MeasureName = keyof typeof MEASURES;
const MEASURE_NAMES = Object.keys(MEASURES) as MeasureName[];
/** Figures of one contestant. */
export type Figures = Partial<Record<MeasureName, number>>;
export type Round = Record<ContestantName, Figures>;
/** Medians of all rounds. Only OURS forwards. */
export type Measures = Partial<Record<MeasureName, Partial<Record<(typeof COLUMNS)[number], number>>>>;

/** Content of result.json. `load` is the load average of the minute before the start. */
export interface Result {
  /** Day in ISO 8601. */
  date: string;
  node: string;
  cpu: string;
  cores: number;
  load: number;
  rounds: number;
  measures: Measures;
  /** Measures that this machine does not allow. */
  leftOut: string[];
}

/** Maximum size of the entry. Each additional kilobyte costs a thousandth of a cold start. */
export const ENTRY_BUDGET_BYTES = 240_000;
/** Limits. A budget depends neither on the machine nor on its load, so that CI checks it with `--quick`. */
export const TARGETS = [
  { measure: 'instructions', of: 'ours/floor', atMost: 4.8, isBudget: true },
  { measure: 'instructions', of: 'ours/plain', atMost: 0.74, isBudget: false },
  { measure: 'instructions', of: 'ours/same', atMost: 0.65, isBudget: false },
  { measure: 'firstMs', of: 'ours/plain', atMost: 0.25, isBudget: false },
  { measure: 'firstMsAt256', of: 'ours/plain', atMost: 0.2, isBudget: false },
  { measure: 'toFirstMsAt512', of: 'ours/plain', atMost: 0.6, isBudget: false },
  { measure: 'toFirstMsAt256', of: 'ours/plain', atMost: 0.45, isBudget: false },
  { measure: 'warmCpuUs', of: 'ours/plain', atMost: 1.15, isBudget: false },
  { measure: 'warmCpuUs', of: 'ours/same', atMost: 0.95, isBudget: false },
  { measure: 'entryBytes', of: 'ours', atMost: ENTRY_BUDGET_BYTES, isBudget: true },
  { measure: 'coldPeakBytes', of: 'ours/plain', atMost: 1, isBudget: false },
  { measure: 'warmPeakBytes', of: 'ours/plain', atMost: 1, isBudget: false },
  { measure: 'forwardedShare', of: 'ours', atMost: 0.6, isBudget: false },
] as const;

/** Returns the targets that are exceeded. A target that was not measured is not exceeded. */
export function missedTargets(measures: Measures, onlyBudgets = false) {
  const targets = TARGETS.filter(({ isBudget }) => isBudget || !onlyBudgets);
  return targets.filter(({ measure, of, atMost }) => (measures[measure]?.[of] ?? 0) > atMost);
}

/** Takes ratios within each round, because a busy machine slows all contestants down alike. */
export function summarize(rounds: readonly Round[]): Measures {
  const mediansOf = (name: MeasureName) =>
    COLUMNS.flatMap((column) => {
      const [contestant = 'ours', other] = column.split('/') as ContestantName[];
      const figures = rounds.map(
        (round) => (round[contestant][name] ?? NaN) / (other ? (round[other][name] ?? NaN) : 1),
      );
      const measured = figures.filter((figure) => !Number.isNaN(figure));
      return measured.length > 0 ? [[column, median(measured)] as const] : [];
    });
  const measures = MEASURE_NAMES.map((name) => [name, Object.fromEntries(mediansOf(name))] as const);
  return Object.fromEntries(measures.filter(([, medians]) => Object.keys(medians).length > 0));
}

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2;
}

/** Formats a figure with three significant digits. */
export function withUnit(name: MeasureName, figure: number): string {
  const { unit } = MEASURES[name];
  return `${Number((figure / DIVISORS[unit]).toPrecision(3))} ${unit}`.trim();
}

/** Returns a Markdown table of the figures, and of the ratios with their targets. */
export function table(measures: Measures): Promise<string> {
  const missed = missedTargets(measures);
  const cell = (name: MeasureName, of: (typeof COLUMNS)[number]) => {
    const written = (value: number) => (of.includes('/') ? Number(value.toPrecision(3)) : withUnit(name, value));
    const value = measures[name]?.[of];
    if (value === undefined) return '';
    const target = TARGETS.find(({ measure, of: column }) => measure === name && column === of);
    return `${written(value)}${target ? ` (${missed.includes(target) ? 'not ' : ''}≤ ${written(target.atMost)})` : ''}`;
  };
  const rows = [
    ['', ...COLUMNS.map((column) => column.toUpperCase().replace('/', ' / '))],
    ['---', ...COLUMNS.map(() => '--:')],
    ...(Object.keys(measures) as MeasureName[]).map((name) => [
      MEASURES[name].what,
      ...COLUMNS.map((of) => cell(name, of)),
    ]),
  ];
  return format(rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n'), { parser: 'markdown' });
}

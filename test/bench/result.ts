import { cpus, loadavg } from 'node:os';
import { CONTESTANTS, OTHER_NAMES, type ContestantName, type OtherName } from './contestants.ts';
import { MEASURES, type MeasureName, type Round } from './measures.ts';
import type { MemorySize } from './memory-sizes.ts';
import type { Throughput } from './throughput.ts';
import { spread, type Spread } from './statistics.ts';

/** What test/bench/result.json holds. */
export interface Result {
  /** ISO 8601, the day alone. */
  date: string;
  node: string;
  cpu: string;
  cores: number;
  /** The load average of the last minute when it began: what others did to the machine. */
  loadBefore: number;
  /** How many turns each contestant had, cold and warm. */
  rounds: number;
  measures: Measures;
  memorySizes: MemorySize[];
  throughput?: Throughput;
  /** How many deliveries we answered within our limits without storing them: figures of something else. */
  parked?: number;
  /** What could not be measured on this machine, and why. */
  leftOut: string[];
}
export type Measures = Partial<Record<MeasureName, Measure>>;
export interface Measure {
  of: Record<ContestantName, Spread>;
  /** Ours to that of each of the others, round by round. */
  oursTo: Record<OtherName, Spread>;
}

export function summarize(rounds: readonly Round[]): Measures {
  const measures: Measures = {};
  for (const name of Object.keys(MEASURES) as MeasureName[]) {
    const samples = rounds.flatMap((round) => {
      const figures = CONTESTANTS.map((contestant) => [contestant, round[contestant][name]] as const);
      if (figures.some(([, figure]) => figure === undefined)) return [];
      return [Object.fromEntries(figures) as Record<ContestantName, number>];
    });
    if (samples.length > 0) {
      measures[name] = {
        of: spreads(CONTESTANTS, (contestant) => samples.map((sample) => sample[contestant])),
        oursTo: spreads(OTHER_NAMES, (other) => samples.map((sample) => sample.ours / sample[other])),
      };
    }
  }
  return measures;
}

function spreads<Name extends ContestantName>(names: readonly Name[], samples: (name: Name) => number[]) {
  return Object.fromEntries(names.map((name) => [name, spread(samples(name))])) as Record<Name, Spread>;
}

export function machine(): Pick<Result, 'date' | 'node' | 'cpu' | 'cores' | 'loadBefore'> {
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** With no more digits than mean something, so that what is printed, written and checked are the same figures. */
export function rounded(result: Result): Result {
  const round = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  return JSON.parse(JSON.stringify(result, round));
}

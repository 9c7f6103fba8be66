import { cpus, loadavg } from 'node:os';
import { CONTESTANTS, type ContestantName } from './contestants.ts';
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
export type Measure = Record<ContestantName | Ratio, Spread>;
/** Ours to another contestant's, round by round. */
export type Ratio = 'oursToFloor' | 'oursToPlain';

export function summarize(rounds: readonly Round[]): Measures {
  const measures: Measures = {};
  for (const name of Object.keys(MEASURES) as MeasureName[]) {
    const samples = rounds.flatMap(({ floor, plain, ours }) => {
      const sample = { floor: floor[name] ?? NaN, plain: plain[name] ?? NaN, ours: ours[name] ?? NaN };
      return CONTESTANTS.some((contestant) => Number.isNaN(sample[contestant])) ? [] : [sample];
    });
    if (samples.length > 0) {
      measures[name] = {
        floor: spread(samples.map(({ floor }) => floor)),
        plain: spread(samples.map(({ plain }) => plain)),
        ours: spread(samples.map(({ ours }) => ours)),
        oursToFloor: spread(samples.map(({ ours, floor }) => ours / floor)),
        oursToPlain: spread(samples.map(({ ours, plain }) => ours / plain)),
      };
    }
  }
  return measures;
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

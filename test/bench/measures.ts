import type { ContestantName } from './contestants.ts';

type Unit = 'instructions' | 'ms' | 'µs' | 'bytes';
interface MeasureKind {
  what: string;
  unit: Unit;
}

/** All that is measured of every contestant. Less is better in each. */
export const MEASURES = {
  instructions: { what: 'cold, start to first reply: instructions', unit: 'instructions' },
  toFirstCpuMs: { what: 'cold, start to first reply: CPU', unit: 'ms' },
  toFirstMs: { what: 'cold, start to first reply', unit: 'ms' },
  toFirstMsAt512: { what: 'the same, 512 MB', unit: 'ms' },
  toFirstMsAt256: { what: 'the same, 256 MB', unit: 'ms' },
  toSecondCpuMs: { what: 'cold, start to second reply: CPU', unit: 'ms' },
  toSecondMs: { what: 'cold, start to second reply', unit: 'ms' },
  toSecondMsAt512: { what: 'the same, 512 MB', unit: 'ms' },
  toSecondMsAt256: { what: 'the same, 256 MB', unit: 'ms' },
  firstMs: { what: 'cold, first invocation after init', unit: 'ms' },
  firstMsAt512: { what: 'the same, 512 MB', unit: 'ms' },
  firstMsAt256: { what: 'the same, 256 MB', unit: 'ms' },
  coldPeakBytes: { what: 'cold, peak memory', unit: 'bytes' },
  warmCpuUs: { what: 'warm, a delivery: CPU', unit: 'µs' },
  warmGarbageBytes: { what: 'warm, a delivery: garbage', unit: 'bytes' },
  warmP50Ms: { what: 'warm, a delivery: p50', unit: 'ms' },
  warmP99Ms: { what: 'warm, a delivery: p99', unit: 'ms' },
  warmPeakBytes: { what: 'warm, peak memory', unit: 'bytes' },
  entryBytes: { what: 'bundle that a cold start loads', unit: 'bytes' },
  bundleBytes: { what: 'all that is uploaded', unit: 'bytes' },
} as const satisfies Record<string, MeasureKind>;

export type MeasureName = keyof typeof MEASURES;
export type Figures = Partial<Record<MeasureName, number>>;

/** What one turn of each contestant gave. Ratios are taken within a round: its neighbours saw the same machine. */
export type Round = Record<ContestantName, Figures>;

/** Three digits that mean something, with a unit that fits. */
export function withUnit(value: number, unit: Unit): string {
  if (unit === 'instructions') return `${digits(value / 1e6)} M`;
  if (unit !== 'bytes') return `${digits(value)} ${unit}`;
  return value >= 10_000_000 ? `${digits(value / 1e6)} MB` : `${digits(value / 1e3)} kB`;
}

export function digits(value: number): string {
  if (value < 0.1) return String(Number(value.toPrecision(1)));
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

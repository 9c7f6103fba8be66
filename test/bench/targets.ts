import type { MeasureName } from './measures.ts';
import type { Ratio, Result } from './result.ts';

/** What the function must stay below: a ratio, or an absolute figure of ours in the measure's own unit. */
interface Target {
  measure: MeasureName;
  of: Ratio | 'ours';
  atMost: number;
  /** Depends neither on the machine nor on its load: CI stops where it is missed. */
  isBudget?: boolean;
}

export const TARGETS: readonly Target[] = [
  { measure: 'instructions', of: 'oursToFloor', atMost: 4.8, isBudget: true },
  { measure: 'instructions', of: 'oursToPlain', atMost: 0.72 },
  { measure: 'firstMs', of: 'oursToPlain', atMost: 0.25 },
  { measure: 'firstMsAt256', of: 'oursToPlain', atMost: 0.2 },
  { measure: 'toFirstMsAt512', of: 'oursToPlain', atMost: 0.55 },
  { measure: 'toFirstMsAt256', of: 'oursToPlain', atMost: 0.45 },
  { measure: 'warmCpuUs', of: 'oursToPlain', atMost: 1.05 },
  { measure: 'entryBytes', of: 'ours', atMost: 240_000, isBudget: true },
  { measure: 'coldPeakBytes', of: 'oursToPlain', atMost: 1 },
  { measure: 'warmPeakBytes', of: 'oursToPlain', atMost: 1 },
];

export interface Checked extends Target {
  /** The median; undefined where it was not measured. */
  value: number | undefined;
  /** What was not measured is neither met nor missed. */
  isMissed: boolean;
}

export function checkTargets({ measures }: Pick<Result, 'measures'>): Checked[] {
  return TARGETS.map((target) => {
    const value = measures[target.measure]?.[target.of].median;
    return { ...target, value, isMissed: value !== undefined && value > target.atMost };
  });
}

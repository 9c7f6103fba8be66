import { MEASURES, type MeasureName } from './measures.ts';
import type { Measures, Result } from './result.ts';

/** A result that meets every target by far, but for what the test changes. */
export function madeUpResult(change: (measures: Measures) => void = () => {}): Result {
  const sure = (median: number) => ({ median, low: median, high: median });
  const measure = () => ({
    of: { floor: sure(10), plain: sure(1_000), same: sure(2_000), ours: sure(100) },
    oursTo: { floor: sure(4), plain: sure(0.1), same: sure(0.05) },
  });
  const names = Object.keys(MEASURES) as MeasureName[];
  const measures: Measures = Object.fromEntries(names.map((name) => [name, measure()]));
  change(measures);
  return {
    date: '2026-11-23',
    node: 'v24.0.0',
    cpu: 'Fast & <cheap>',
    cores: 2,
    loadBefore: 0,
    rounds: 3,
    measures,
    memorySizes: [
      {
        memoryMb: 512,
        firstReplyMs: 120,
        firstMs: 10,
        warmP50Ms: 2,
        warmP99Ms: 9,
        billedMs: 8,
        warmUsdPerMillion: 0.25,
        coldUsdPerMillion: 1,
      },
    ],
    leftOut: [],
  };
}

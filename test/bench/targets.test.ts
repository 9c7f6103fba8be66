import { expect, test } from '@jest/globals';
import { madeUpResult } from './made-up-result.ts';
import { checkTargets, TARGETS } from './targets.ts';

const missed = (result: ReturnType<typeof madeUpResult>) =>
  checkTargets(result)
    .filter(({ isMissed }) => isMissed)
    .map(({ measure, oursTo }) => [measure, oursTo]);

test('a result below every target misses none', () => {
  expect(missed(madeUpResult())).toEqual([]);
});

test.each(TARGETS)(
  '$measure, $oursTo: the target itself is met, a little more is not',
  ({ measure, oursTo, atMost }) => {
    const at = (value: number) =>
      madeUpResult((measures) => {
        const { of, oursTo: ratios } = measures[measure]!;
        (oursTo === undefined ? of.ours : ratios[oursTo]).median = value;
      });
    expect(missed(at(atMost))).toEqual([]);
    expect(missed(at(atMost * 1.001))).toEqual([[measure, oursTo]]);
  },
);

test('what was not measured is neither met nor missed', () => {
  const result = madeUpResult((measures) => delete measures.instructions);
  const [target] = checkTargets(result);
  expect(target).toMatchObject({ measure: 'instructions', value: undefined, isMissed: false });
});

import { expect, test } from '@jest/globals';
import { summarize } from './result.ts';
import { mean, quantile, spread } from './statistics.ts';

test.each([
  ['an odd count has its middle one', [5, 1, 3], 0.5, 3],
  ['an even count has the middle between two', [4, 1, 3, 2], 0.5, 2.5],
  ['a part between two samples lies between them', [0, 10, 20, 30, 40], 0.99, 39.6],
  ['one sample is all there is', [7], 0.99, 7],
  ['numbers are not sorted as text', [9, 10, 100], 0.5, 10],
])('%s', (_, samples, part, expected) => {
  expect(quantile(samples, part)).toBeCloseTo(expected, 10);
});

test('a spread is the median between the quartiles', () => {
  expect(spread([1, 2, 3, 4, 5])).toEqual({ median: 3, low: 2, high: 4 });
});

test('the mean is the sum by the count', () => {
  expect(mean([1, 2, 6])).toBe(3);
});

test('a quantile of nothing is an error, not a figure', () => {
  expect(() => quantile([], 0.5)).toThrow('a quantile of nothing');
});

test('ratios are taken round by round: a slow round is slow for all', () => {
  const round = (slowness: number) => ({
    floor: { firstMs: slowness },
    plain: { firstMs: 4 * slowness },
    same: { firstMs: 8 * slowness },
    ours: { firstMs: 2 * slowness },
  });
  const { firstMs } = summarize([round(1), round(1), round(50)]);
  expect(firstMs?.of.ours).toEqual({ median: 2, low: 2, high: 51 });
  expect(firstMs?.oursTo.plain).toEqual({ median: 0.5, low: 0.5, high: 0.5 });
  expect(firstMs?.oursTo.floor.median).toBe(2);
  expect(firstMs?.oursTo.same.median).toBe(0.25);
});

test('what one contestant lacks is no measure', () => {
  expect(summarize([{ floor: { firstMs: 1 }, plain: {}, same: { firstMs: 1 }, ours: { firstMs: 1 } }])).toEqual({});
});

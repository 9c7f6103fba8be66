import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { plot } from './plot.ts';
import { MEASURES, median, missedTargets, summarize, table, TARGETS, type Measures, type Result } from './result.ts';

const committed = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8');
const result: Result = JSON.parse(committed('result.json'));

test('the committed result is complete and meets every target', () => {
  expect(result.leftOut).toEqual([]);
  expect(Object.keys(result.measures)).toEqual(Object.keys(MEASURES));
  expect(missedTargets(result.measures)).toEqual([]);
});

test('README and plot show the committed result: copy what npm run bench -- --write prints', async () => {
  const readme = committed('README.md');
  expect(readme).toContain(await table(result.measures));
  expect(readme).toContain(`${result.date}, Node ${result.node}, ${result.cpu}`);
  expect(plot(result)).toBe(committed('result.svg'));
});

test('a median is the middle sample, and ratios are taken round by round, so that a slow round is slow for all contestants', () => {
  const round = (slowness: number, plainMs: number) => ({
    floor: { firstMs: slowness },
    plain: { firstMs: plainMs * slowness },
    same: {},
    ours: { firstMs: 2 * slowness },
  });
  const rounds = [round(1, 4), round(1, 8), round(50, 4)].map((each) => ({ ...each, same: each.plain }));
  expect(summarize(rounds).firstMs).toMatchObject({ plain: 8, ours: 2, 'ours/floor': 2, 'ours/plain': 0.5 });
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(summarize([round(1, 4)]).firstMs).toEqual({ floor: 1, plain: 4, ours: 2, 'ours/floor': 2, 'ours/plain': 0.5 });
});

test.each(TARGETS)('target $measure, $of: the limit itself meets it, a little more does not', async (target) => {
  const { measure, of, atMost, isBudget } = target;
  const at = (value: number) => ({ [measure]: { ...result.measures[measure], [of]: value } }) as Measures;
  expect(missedTargets(at(atMost))).toEqual([]);
  expect(missedTargets(at(atMost * 1.001))).toEqual([target]);
  expect(missedTargets(at(atMost * 1.001), true)).toEqual(isBudget ? [target] : []);
  expect(await table(at(atMost * 1.001))).toContain('(not ≤');
});

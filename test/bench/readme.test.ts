import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { madeUpResult } from './made-up-result.ts';
import { plot } from './plot.ts';
import { withFigures } from './readme.ts';
import type { Result } from './result.ts';
import { checkTargets } from './targets.ts';

const committed = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8');
const readme = committed('README.md');
const result: Result = JSON.parse(committed('result.json'));

test("the README's figures and the plot are those of the committed result: npm run bench -- --readme", () => {
  expect(withFigures(readme, result)).toBe(readme);
  expect(plot(result)).toBe(committed('result.svg'));
});

test('another result would change every part', () => {
  const parts = (text: string) => text.split(/<!-- bench: [\w ]+ -->/).filter((_, index) => index % 2 === 1);
  const other = parts(withFigures(readme, { ...madeUpResult(), throughput: { ...result.throughput!, perSecond: 1 } }));
  expect(other).toHaveLength(5);
  for (const [index, part] of parts(readme).entries()) expect(other[index]).not.toBe(part);
});

test('the committed result lacks nothing', () => {
  expect(result.leftOut).toEqual([]);
  expect(Object.keys(result.measures)).toEqual(Object.keys(madeUpResult().measures));
  expect(result.memorySizes.map(({ memoryMb }) => memoryMb)).toEqual([128, 256, 512, 1024, 1769]);
  expect(result.throughput?.perSecond).toBeGreaterThan(0);
});

test('the committed result meets every target', () => {
  expect(checkTargets(result).filter(({ isMissed, value }) => isMissed || value === undefined)).toEqual([]);
});

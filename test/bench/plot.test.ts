import { expect, test } from '@jest/globals';
import { madeUpResult } from './made-up-result.ts';
import { plot } from './plot.ts';

/** Every tag closed in its turn, attributes quoted, no bare ampersand. */
function isWellFormed(xml: string): boolean {
  const open: string[] = [];
  const rest = xml.replaceAll(/<(\/?)([a-z]+)((?: [\w:-]+="[^"<&]*")*)(\/?)>/gi, (_, end, name, _attributes, empty) => {
    if (end === '/' && open.pop() !== name) open.push('torn');
    if (end === '' && empty === '') open.push(name);
    return '';
  });
  return open.length === 0 && !/[<>]|&(?!amp;|lt;|gt;)/.test(rest);
}

test('the plot is well-formed XML, whatever the CPU is called', () => {
  expect(isWellFormed('<a><b c="d"/>e</a>')).toBe(true);
  for (const torn of ['<a><b></a></b>', '<a>', '<a b=c/>', '<a>&</a>', '<a><</a>'])
    expect(isWellFormed(torn)).toBe(false);
  expect(isWellFormed(plot(madeUpResult()))).toBe(true);
});

test('the longest bar of each group is that of the largest figure', () => {
  const lengths = [...plot(madeUpResult()).matchAll(/width="([\d.]+)" height="12"/g)].map(([, length]) =>
    Number(length),
  );
  expect(lengths).toHaveLength(24);
  expect(lengths.slice(0, 4)).toEqual([1.8, 180, 360, 18]);
});

test('what was not measured has no bars', () => {
  expect(plot(madeUpResult((measures) => delete measures.toFirstMsAt256))).not.toContain('first reply, 256 MB');
});

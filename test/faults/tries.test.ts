import { expect, jest, test } from '@jest/globals';
import { deliverUntilWell } from './tries.ts';

const WELL = { lost: 0, wrong: 0, slowestMs: 100 };
const LATE = { ...WELL, slowestMs: 3_000 };
const LOST = { ...LATE, lost: 1 };
const WRONG = { ...LATE, wrong: 1 };

test.each([
  ['is well is delivered once', [WELL], 1],
  ['was late once is delivered again', [LATE, WELL], 2],
  ['was late twice is delivered a third time', [LATE, LATE, WELL], 3],
  ['is late each time is not well in the end', [LATE, LATE, LATE], 3],
  ['loses something is never tried again', [LOST], 1],
  ['has something wrong is never tried again', [WRONG], 1],
  ['loses something at a later try ends there', [LATE, LOST], 2],
])('a row that %s', async (_what, outcomes, tries) => {
  const print = jest.spyOn(console, 'log').mockImplementation(() => {});
  const deliver = jest.fn(async (n: number) => outcomes[n - 1]!);
  const result = await deliverUntilWell(deliver, ({ slowestMs }) => slowestMs < 2_000);
  expect(result).toEqual({ ...outcomes.at(-1), tries });
  expect(deliver.mock.calls).toEqual(Array.from({ length: tries }, (_, n) => [n + 1]));
  expect(print).toHaveBeenCalledTimes(tries - 1); // one line for each further try
  print.mockRestore();
});

import { afterEach, expect, test } from '@jest/globals';
import type { DynamoDBRecord } from 'aws-lambda';
import { startStreamMapping, type StreamMapping } from '../../../../infra/local/aws/stream-mapping.ts';
import { until } from '../../../until.ts';

const SPEC = {
  tableName: 'accounts',
  patterns: [{ eventName: ['INSERT', 'MODIFY'] }],
  batchSize: 4,
  reportBatchItemFailures: true,
};

const record = (n: number): DynamoDBRecord => ({ eventName: 'INSERT', dynamodb: { SequenceNumber: String(n) } });
const failed = (...numbers: number[]) => ({
  batchItemFailures: numbers.map((n) => ({ itemIdentifier: String(n) })),
});

let mapping: StreamMapping | undefined;
afterEach(() => mapping?.stop());

/** Starts a mapping to a function, and records the numbers of the records in each call. */
function start(answer: (call: number) => unknown = () => ({})) {
  const batches: number[][] = [];
  const invoke = async ({ Records }: { Records: DynamoDBRecord[] }) => {
    batches.push(Records.map(({ dynamodb }) => Number(dynamodb?.SequenceNumber)));
    return answer(batches.length);
  };
  mapping = startStreamMapping(SPEC, invoke, 1);
  const take = (...records: DynamoDBRecord[]) => records.forEach((each) => mapping?.add(each));
  return { batches, take };
}
const numbered = (count: number) => Array.from({ length: count }, (_, n) => record(n));
const whole = (batches: readonly number[][], length: number) =>
  until(() => (batches.length >= length ? batches : undefined));

test('the function gets the records in order, in batches', async () => {
  const { batches, take } = start(() => null);
  take(...numbered(10));
  expect(await whole(batches, 3)).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
});

test('the function does not get records that match no pattern', async () => {
  const { batches, take } = start();
  take({ ...record(0), eventName: 'REMOVE' }, { ...record(1), eventName: 'MODIFY' });
  expect(await whole(batches, 1)).toEqual([[1]]);
});

test('a batch with reported failures is repeated from the lowest sequence number on, before later records', async () => {
  const { batches, take } = start((call) => (call < 3 ? failed(3, 2) : {}));
  take(...numbered(5));
  expect(await whole(batches, 4)).toEqual([[0, 1, 2, 3], [2, 3], [2, 3], [4]]);
});

test.each<[string, () => unknown]>([
  ['whose answer reports an unknown record as failed', () => failed(1, 9)],
  ['whose answer reports an empty sequence number', () => failed(NaN)],
  [
    'with an error',
    () => {
      throw new Error('told to');
    },
  ],
])('a batch %s is repeated', async (_what, answer) => {
  const { batches, take } = start((call) => (call === 1 ? answer() : {}));
  take(...numbered(2));
  expect(await whole(batches, 2)).toEqual([
    [0, 1],
    [0, 1],
  ]);
});

test('a mapping that is stopped while it waits for a full batch invokes nothing', async () => {
  const { batches, take } = start();
  take(record(0));
  mapping?.stop();
  const other = start();
  other.take(record(1));
  await whole(other.batches, 1);
  expect(batches).toEqual([]);
});

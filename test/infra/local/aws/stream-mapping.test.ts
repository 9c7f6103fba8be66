import { afterEach, expect, test } from '@jest/globals';
import type { DynamoDBRecord } from 'aws-lambda';
import {
  startStreamMapping,
  type StreamMapping,
  type StreamMappingOptions,
  type StreamMappingSpec,
} from '../../../../infra/local/aws/stream-mapping.ts';
import { until } from '../../../until.ts';

const HOURS = 60 * 60;
const SPEC: Omit<StreamMappingSpec, 'consumer' | 'onFailureQueueName'> = {
  tableName: 'accounts',
  patterns: [{ eventName: ['INSERT', 'MODIFY'] }],
  batchSize: 4,
  bisectBatchOnError: true,
  reportBatchItemFailures: true,
  maxRecordAgeSeconds: 12 * HOURS,
};

const record = (n: number, rest: object = {}): DynamoDBRecord => ({
  eventName: 'INSERT',
  dynamodb: { SequenceNumber: String(n), ...rest },
});
const failed = (...numbers: number[]) => ({
  batchItemFailures: numbers.map((n) => ({ itemIdentifier: String(n) })),
});

let mapping: StreamMapping | undefined;
afterEach(() => mapping?.stop());

/** Starts a mapping to a function, and records the function's events. */
function start(
  invoke: (numbers: number[]) => unknown,
  spec: Partial<typeof SPEC> = {},
  options: Partial<StreamMappingOptions> = {},
) {
  const batches: number[][] = [];
  mapping = startStreamMapping(
    { ...SPEC, ...spec },
    {
      async invoke({ Records }) {
        const numbers = Records.map(({ dynamodb }) => Number(dynamodb?.SequenceNumber));
        batches.push(numbers);
        return invoke(numbers);
      },
      onFailure: () => Promise.reject(new Error('nothing is given up here')),
      secondMs: 1,
      ...options,
    },
  );
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

test('a batch is not larger than the maximum payload of an invocation', async () => {
  const { batches, take } = start(() => ({ batchItemFailures: [] }));
  const NewImage = { text: { S: 'x'.repeat(2_500_000) } };
  take(
    ...[0, 1, 2].map((n) => record(n, { NewImage })),
    record(3),
    record(4, { NewImage: { text: { S: 'y'.repeat(7e6) } } }),
  );
  expect(await whole(batches, 3)).toEqual([[0, 1], [2, 3], [4]]);
});

test('the function does not get records that match no pattern', async () => {
  const { batches, take } = start(() => ({}));
  take({ ...record(0), eventName: 'REMOVE' }, { ...record(1), eventName: 'MODIFY' });
  expect(await whole(batches, 1)).toEqual([[1]]);
});

test('a batch with reported failures is repeated from the lowest sequence number on, without halving', async () => {
  let isWell = false;
  const { batches, take } = start((numbers) => (isWell ? {} : numbers.includes(2) ? failed(3, 2) : {}));
  take(...numbered(5));
  await whole(batches, 3);
  isWell = true;
  await until(() => batches.flat().includes(4));
  expect(batches[0]).toEqual([0, 1, 2, 3]);
  expect(new Set(batches.slice(1, -1).map(String))).toEqual(new Set(['2,3']));
  expect(batches.at(-1)).toEqual([4]);
});

test.each<[string, unknown]>([
  ['an unknown record', failed(9)],
  ['an empty sequence number', failed(NaN)],
])('a batch whose answer reports %s as failed is repeated', async (_what, answer) => {
  const { batches, take } = start((numbers) => (numbers.length > 1 ? answer : {}));
  take(...numbered(2));
  expect(await whole(batches, 3)).toEqual([[0, 1], [0], [1]]);
});

test('halving finds the record that fails the function, and only this record is repeated', async () => {
  let isWell = false;
  const { batches, take } = start((numbers) => {
    if (numbers.includes(1) && !isWell) throw new Error('told to');
  });
  take(...numbered(5));
  await whole(batches, 6);
  isWell = true;
  await until(() => batches.flat().includes(4));
  expect(batches.slice(0, 4)).toEqual([[0, 1, 2, 3], [0, 1], [0], [1]]);
  expect(batches.slice(-2)).toEqual([[2, 3], [4]]);
});

test('without halving, the whole batch is repeated', async () => {
  const { batches, take } = start(
    () => {
      if (batches.length < 3) throw new Error('told to');
    },
    { bisectBatchOnError: false },
  );
  take(...numbered(2));
  expect(await whole(batches, 3)).toEqual([
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
});

test('a record that is too old goes to the queue as a message without its content; newer ones continue', async () => {
  const messages: string[] = [];
  const { batches, take } = start(
    (numbers) => {
      if (numbers.includes(0)) throw new Error('told to');
    },
    {},
    {
      secondMs: 1_000 / (12 * HOURS),
      onFailure: async (message) => {
        messages.push(message);
        take(record(messages.length));
      },
    },
  );
  take(record(0, { NewImage: { name: { S: 'news' } } }));
  await until(() => batches.flat().find((n) => n > 0));
  expect(JSON.parse(messages[0] ?? '')).toMatchObject({
    requestContext: { condition: 'RecordAgeExceeded', approximateInvokeCount: expect.any(Number) },
    DDBStreamBatchInfo: { startSequenceNumber: '0', endSequenceNumber: '0', batchSize: 1 },
  });
  expect(messages.join()).not.toContain('news');
  expect(batches.slice(0, 2)).toEqual([[0], [0]]);
});

test('records are repeated if the queue does not accept their message', async () => {
  let messages = 0;
  const { batches, take } = start(
    () => {
      throw new Error('told to');
    },
    { maxRecordAgeSeconds: -1 },
    { onFailure: () => ((messages += 1) < 3 ? Promise.reject(new Error('no queue')) : Promise.resolve()) },
  );
  take(record(0));
  await until(() => messages === 3);
  expect(batches).toEqual([[0], [0]]);
});

test('a mapping that is stopped while it waits for a full batch invokes nothing', async () => {
  const { batches, take } = start(() => ({}));
  take(record(0));
  mapping?.stop();
  const other = start(() => ({}));
  other.take(record(1));
  await whole(other.batches, 1);
  expect(batches).toEqual([]);
});

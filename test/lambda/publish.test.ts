import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Logger } from '@aws-lambda-powertools/logger';
import type { DynamoDBRecord } from 'aws-lambda';
import type { PutResult } from '../../lambda/event-bus.ts';
import type { PublishedEvent } from '../../lambda/official-account-event.ts';
import { createPublisher } from '../../lambda/publish.ts';

const CREATED = readFileSync(join(import.meta.dirname, '../stream-records/created.json'), 'utf8');

/** A record of the table's stream, with a sequence number for its place in the batch. */
function record(n: number, change: (image: Record<string, unknown>) => void = () => {}): DynamoDBRecord {
  const created = JSON.parse(CREATED);
  Object.assign(created.dynamodb, { SequenceNumber: String(1_000 + n) });
  created.dynamodb.NewImage.officialAccountId.S = String(n);
  change(created.dynamodb.NewImage);
  return created;
}
const records = (count: number) => Array.from({ length: count }, (_, n) => record(n));
/** A record with a permanent failure. */
const unpublishable = (n: number) => record(n, (image) => (image['name'] = { N: '1' }));
/** A change without an event. */
const changeWithoutEvent = (n: number) => record(n, (image) => (delete image['createdTime'], delete image['revision']));

/** Results of the event bus, by official account. The events of other accounts are published. */
let results: Record<string, PutResult>;
let put: string[];
let setAside: [string | undefined, string][];
let queueFails: boolean;
let lines: Record<string, unknown>[];
beforeEach(() => {
  [results, put, setAside, queueFails, lines] = [{}, [], [], false, []];
});

const log = (message: string, extra: object) => void lines.push({ message, ...extra });
const publish = createPublisher({
  logger: { info: log, warn: log, error: log } as unknown as Logger,
  async putEvents(events: readonly PublishedEvent[]) {
    const ids = events.map(({ detail }) => String(detail['officialAccountId']));
    put.push(...ids);
    return ids.map((id) => results[id] ?? { outcome: 'published' });
  },
  async setAside({ dynamodb }, reason) {
    if (queueFails) throw new Error('the queue is gone');
    setAside.push([dynamodb?.SequenceNumber, reason]);
  },
});

const failed = { outcome: 'failed', reason: 'ThrottlingException' } as const;
const malformed = { outcome: 'unpublishable', reason: 'MalformedDetail' } as const;
const from = (n: number) => ({ batchItemFailures: [{ itemIdentifier: String(1_000 + n) }] });
const DONE = { batchItemFailures: [] };

test('a published batch has no failures', async () => {
  expect(await publish({ Records: records(3) })).toEqual(DONE);
  expect(put).toEqual(['0', '1', '2']);
  expect(lines).toEqual([{ message: 'publish', records: 3, published: 3, setAside: 0 }]);
});

test('a change without an event is skipped', async () => {
  expect(await publish({ Records: [record(0), changeWithoutEvent(1), record(2)] })).toEqual(DONE);
  expect(put).toEqual(['0', '2']);
  expect(setAside).toEqual([]);
  expect(lines).toMatchObject([{ records: 3, published: 2 }]);
});

test('a change whose reading fails is set aside with the name of the error, whose message may contain the record', async () => {
  const unreadable = record(0, (image) =>
    Object.defineProperty(image, 'name', {
      enumerable: true,
      get: () => {
        throw new RangeError('新公众号');
      },
    }),
  );
  expect(await publish({ Records: [unreadable, record(1)] })).toEqual(DONE);
  expect(setAside).toEqual([['1000', 'RangeError']]);
});

test('the first failed record and all later ones are reported, and none of them is set aside', async () => {
  results = { 2: failed, 4: failed };
  const Records = [record(0), changeWithoutEvent(1), record(2), unpublishable(3), record(4)];
  expect(await publish({ Records })).toEqual(from(2));
  expect(setAside).toEqual([]); // Lambda repeats the record
  expect(lines).toEqual([
    { message: 'publish', records: 5, published: 1, setAside: 0, again: 3, reason: 'ThrottlingException' },
  ]);
});

describe.each<[string, DynamoDBRecord, string]>([
  ['that can never become an event', unpublishable(1), 'name is of another type than the JSON Schema says'],
  ['whose event fails permanently', record(1), 'MalformedDetail'],
])('a record %s', (_what, bad, reason) => {
  beforeEach(() => {
    results = { 1: malformed };
  });

  test('is set aside, and does not block others', async () => {
    expect(await publish({ Records: [record(0), bad, record(2)] })).toEqual(DONE);
    expect(put.filter((id) => id !== '1')).toEqual(['0', '2']);
    expect(setAside).toEqual([['1001', reason]]);
    expect(lines).toEqual([
      { message: 'unpublished', officialAccountId: '@TOA#_test_OA_for_penn', sequenceNumber: '1001', reason },
      { message: 'publish', records: 3, published: 2, setAside: 1 },
    ]);
  });

  test('is set aside even if a later record fails', async () => {
    results = { ...results, 2: failed };
    expect(await publish({ Records: [record(0), bad, record(2)] })).toEqual(from(2));
    expect(setAside).toEqual([['1001', reason]]);
  });

  test('is reported as failed if the queue does not accept it', async () => {
    queueFails = true;
    expect(await publish({ Records: [record(0), bad, record(2)] })).toEqual(from(1));
    expect(lines).toMatchObject([
      {
        message: 'the change can neither be published nor set aside',
        sequenceNumber: '1001',
        error: expect.any(Error),
      },
      { message: 'publish', published: 1, setAside: 0, again: 2, reason: 'NotSetAside' },
    ]);
  });
});

test.each<[string, object]>([
  ['without content', {}],
  ['without an image', { dynamodb: { SequenceNumber: '1001' } }],
  ['of another table', { dynamodb: { SequenceNumber: '1001', NewImage: { id: { S: 'a' } } } }],
])('a record %s is skipped', async (_what, odd) => {
  expect(await publish({ Records: [record(0), odd as DynamoDBRecord, record(2)] })).toEqual(DONE);
  expect([put, setAside]).toEqual([['0', '2'], []]);
});

test('the log contains no value of a record', async () => {
  await publish({ Records: [record(0, (image) => (image['name'] = { SECRET: 'secret' }))] });
  expect(setAside).toHaveLength(1);
  expect(JSON.stringify(lines).toLowerCase()).not.toContain('secret');
});

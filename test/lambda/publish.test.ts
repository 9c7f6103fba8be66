import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Logger } from '@aws-lambda-powertools/logger';
import type { DynamoDBRecord } from 'aws-lambda';
import type { PutResult } from '../../lambda/event-bus.ts';
import type { OfficialAccountEvent } from '../../lambda/official-account-event.ts';
import { createPublisher } from '../../lambda/publish.ts';

const CREATED = readFileSync(join(import.meta.dirname, '../stream-records/created.json'), 'utf8');

/** A record of the table's stream, its place in the stream as in a batch. */
function record(n: number, change: (image: Record<string, unknown>) => void = () => {}): DynamoDBRecord {
  const created = JSON.parse(CREATED);
  Object.assign(created.dynamodb, { SequenceNumber: String(1_000 + n) });
  created.dynamodb.NewImage.officialAccountId.S = String(n);
  change(created.dynamodb.NewImage);
  return created;
}
const records = (count: number) => Array.from({ length: count }, (_, n) => record(n));
/** No event comes of it, ever. */
const poison = (n: number) => record(n, (image) => (image['name'] = { N: '1' }));
/** A change that is no event. */
const note = (n: number) => record(n, (image) => (delete image['createdTime'], delete image['revision']));

/** What the event bus says of the event of an official account. Of the others it says that they are published. */
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
  async putEvents(events: readonly OfficialAccountEvent[]) {
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
const refused = { outcome: 'refused', reason: 'MalformedDetail' } as const;
const from = (n: number) => ({ batchItemFailures: [{ itemIdentifier: String(1_000 + n) }] });
const DONE = { batchItemFailures: [] };

test('a batch that is published is done', async () => {
  expect(await publish({ Records: records(3) })).toEqual(DONE);
  expect(put).toEqual(['0', '1', '2']);
  expect(lines).toEqual([{ message: 'publish', records: 3, published: 3, setAside: 0 }]);
});

test('a change that is no event is passed over', async () => {
  expect(await publish({ Records: [record(0), note(1), record(2)] })).toEqual(DONE);
  expect(put).toEqual(['0', '2']);
  expect(setAside).toEqual([]);
  expect(lines).toMatchObject([{ records: 3, published: 2 }]);
});

test('a batch is reported from its first failed record on, and what comes after it is not done', async () => {
  results = { 2: failed, 4: failed };
  expect(await publish({ Records: [record(0), note(1), record(2), poison(3), record(4)] })).toEqual(from(2));
  expect(setAside).toEqual([]); // the record comes again
  expect(lines).toEqual([
    { message: 'publish', records: 5, published: 1, setAside: 0, again: 3, reason: 'ThrottlingException' },
  ]);
});

describe.each<[string, DynamoDBRecord, string]>([
  ['that can never become an event', poison(1), 'name is of another type than the JSON Schema says'],
  ['whose event is refused for good', record(1), 'MalformedDetail'],
])('a record %s', (_what, bad, reason) => {
  beforeEach(() => {
    results = { 1: refused };
  });

  test('is set aside, and holds up nothing', async () => {
    expect(await publish({ Records: [record(0), bad, record(2)] })).toEqual(DONE);
    expect(put.filter((id) => id !== '1')).toEqual(['0', '2']);
    expect(setAside).toEqual([['1001', reason]]);
    expect(lines).toEqual([
      { message: 'unpublished', officialAccountId: '@TOA#_test_OA_for_penn', sequenceNumber: '1001', reason },
      { message: 'publish', records: 3, published: 2, setAside: 1 },
    ]);
  });

  test('is set aside although a later record fails', async () => {
    results = { ...results, 2: failed };
    expect(await publish({ Records: [record(0), bad, record(2)] })).toEqual(from(2));
    expect(setAside).toEqual([['1001', reason]]);
  });

  test('comes again where the queue does not take it', async () => {
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
  ['without what it says about the change', {}],
  ['without an image', { dynamodb: { SequenceNumber: '1001' } }],
  ['of something else', { dynamodb: { SequenceNumber: '1001', NewImage: { id: { S: 'a' } } } }],
])('a record %s is passed over', async (_what, odd) => {
  expect(await publish({ Records: [record(0), odd as DynamoDBRecord, record(2)] })).toEqual(DONE);
  expect([put, setAside]).toEqual([['0', '2'], []]);
});

test('no value of a record stands in the log', async () => {
  await publish({ Records: [record(0, (image) => (image['name'] = { SECRET: 'secret' }))] });
  expect(setAside).toHaveLength(1);
  expect(JSON.stringify(lines).toLowerCase()).not.toContain('secret');
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';
import { LOCAL_AWS } from '../../../../infra/local/aws/dynamodb.ts';
import { startEventBus, type BusEvent, type EventBus } from '../../../../infra/local/aws/event-bus.ts';

let bus: EventBus;
let client: EventBridgeClient;
const seen: BusEvent[] = [];
beforeAll(async () => {
  bus = await startEventBus(['bus']);
  bus.subscribe((event) => seen.push(event));
  client = new EventBridgeClient({
    endpoint: bus.url,
    region: LOCAL_AWS.AWS_REGION,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
});
afterAll(async () => {
  client.destroy();
  await bus.close();
});

const ENTRY: PutEventsRequestEntry = { EventBusName: 'bus', Source: 's', DetailType: 't', Detail: '{"a":"新"}' };
const put = (...Entries: PutEventsRequestEntry[]) => client.send(new PutEventsCommand({ Entries }));

test('each entry becomes an event with its own ID, and a wrong entry does not affect others', async () => {
  seen.length = 0;
  const { FailedEntryCount, Entries } = await put(
    ENTRY,
    { ...ENTRY, Detail: '{' },
    { ...ENTRY, Detail: '[]' },
    { ...ENTRY, Source: '' },
    { ...ENTRY, EventBusName: 'another' },
    { ...ENTRY, DetailType: 'u' },
  );
  expect(FailedEntryCount).toBe(4);
  expect(Entries?.map(({ EventId, ErrorCode }) => ErrorCode ?? typeof EventId)).toEqual([
    'string',
    'MalformedDetail',
    'MalformedDetail',
    'InvalidArgument',
    'ResourceNotFoundException',
    'string',
  ]);
  expect(seen.map(({ id }) => id)).toEqual([Entries?.[0]?.EventId, Entries?.[5]?.EventId]);
  expect(seen.map((event) => [event.source, event['detail-type'], event.detail])).toEqual([
    ['s', 't', { a: '新' }],
    ['s', 'u', { a: '新' }],
  ]);
});

test.each<[string, PutEventsRequestEntry[]]>([
  ['no entry', []],
  ['eleven entries', Array.from({ length: 11 }, () => ENTRY)],
  ['256 KB', [1, 2].map(() => ({ ...ENTRY, Detail: JSON.stringify({ a: 'x'.repeat(131_072 - 10) }) }))],
])('a call with %s is rejected', async (_what, entries) => {
  seen.length = 0;
  await expect(put(...entries)).rejects.toThrow(expect.objectContaining({ name: 'ValidationException' }));
  expect(seen).toEqual([]);
});

test('a call of one byte less than 256 KB is accepted', async () => {
  const Detail = JSON.stringify({ a: 'x'.repeat(262_144 - 2 - '{"a":""}'.length - 1) });
  expect(await put({ ...ENTRY, Detail })).toMatchObject({ FailedEntryCount: 0 });
});

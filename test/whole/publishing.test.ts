import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { BatchWriteItemCommand, PutItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { dynamoDbClient } from '../../infra/local/aws/dynamodb.ts';
import type { Deployment } from '../../infra/local/deployment.ts';
import { eventProblems } from '../event-problems.ts';
import { post, SDK_APP_ID } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { FaultyEventBus, FaultySqs, type Fault } from '../faulty.ts';
import { logKeeper } from '../function-log.ts';
import { startLocalReceiver } from '../local-receiver.ts';
import { until } from '../until.ts';

const [bus, queues, log] = [new FaultyEventBus(), new FaultySqs(), logKeeper()];
let deployment: Deployment;
const published: Record<string, any>[] = [];
let client: DynamoDBClient;
beforeAll(async () => {
  deployment = await startSlowDeployment({
    startEvents: bus.start,
    startQueues: queues.start,
    log: log.stream,
  });
  client = dynamoDbClient(deployment.dynamoDb.url);
  deployment.bus.subscribe((event) => published.push(event));
});
afterAll(async () => {
  client?.destroy();
  await deployment?.stop();
});
beforeEach(() => {
  published.length = 0;
});

const deliver = (id: string, change: Record<string, unknown> = {}) =>
  post(deployment.url, ({ payload }) => Object.assign(payload, { Official_Account: id }, change));

/** Publishes a last event and returns all events before it. Local events arrive in order. */
async function eventsBefore(last: string): Promise<Record<string, any>[]> {
  await deliver(last);
  await until(() => published.find(({ detail }) => detail.officialAccountId === last));
  return published.slice(0, -1);
}

test('a creation is published once, and a repeated or stale delivery is not published', async () => {
  await deliver('@TOA#_once');
  await deliver('@TOA#_once');
  await deliver('@TOA#_once', { EventTime: 1670574414122, Name: 'older' });
  const events = await eventsBefore('after once');
  expect(events).toEqual([
    {
      version: '0',
      id: expect.stringMatching(/^[\da-f-]{36}$/),
      'detail-type': 'Official Account Created',
      source: 'tencent.chat.official-accounts',
      account: '000000000000',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      region: 'us-east-1',
      resources: [],
      detail: {
        version: 1,
        type: 'Official Account Created',
        sdkAppId: '1400000000',
        officialAccountId: '@TOA#_once',
        name: 'TestOfficialAccount',
        ownerAccount: '107867',
        operatorAccount: '107867',
        createdTime: 1670574414123,
        eventTime: 1670574414123,
        receivedTime: expect.any(Number),
        clientIp: '203.0.113.7',
        optPlatform: 'RESTAPI',
        revision: 1,
      },
    },
  ]);
});

test('a newer delivery that changes the record is published, with its name unchanged', async () => {
  const Name = '新闻 🗞️ "quoted\\"\u2028</script>\ndata: y\n\ndata: z';
  await deliver('changed');
  await deliver('changed', { EventTime: 1670574414124, Name });
  const events = await eventsBefore('after changed');
  expect(events.map(({ detail }) => [detail.eventTime, detail.name])).toEqual([
    [1670574414123, 'TestOfficialAccount'],
    [1670574414124, Name],
  ]);
});

describe('if the event bus fails', () => {
  /** Faults in order, with their numbers of calls. More than three in a row use up the attempts. */
  const FAULTS: [Fault | 'rejects the first entry', number][] = [
    ['rejects the first entry', 5],
    ['throttles', 4],
    ['answers nonsense', 4],
    ['breaks', 4],
    ['hangs', 1], // each takes the 2 s of an attempt
    ['succeeds, then cuts the connection', 4],
    ['rejects the first entry', 2],
    ['denies', 4],
  ];

  /** Lets the faults occur between successful calls. */
  function failInTurn(): string[] {
    const plan = FAULTS.flatMap(([fault, calls]) => [undefined, ...Array(calls).fill(fault)]);
    const seen: string[] = [];
    bus.onRequest = () => {
      const fault = plan.shift();
      if (fault !== undefined) seen.push(fault);
      bus.fault = fault === 'rejects the first entry' ? undefined : fault;
      bus.rejectsFirst = fault === 'rejects the first entry';
    };
    return seen;
  }
  afterEach(() => {
    bus.onRequest = undefined;
    bus.fault = undefined;
    bus.rejectsFirst = false;
  });

  /** Record of an account after each event of its life. */
  const LIFE = [
    { name: 'created', createdTime: 1, revision: 1 },
    { name: 'changed', createdTime: 1, revision: 2 },
    { name: 'changed', createdTime: 1, lastFullTime: 3, revision: 3 },
    { name: 'changed', createdTime: 1, lastFullTime: 3, destroyedTime: 4, revision: 4 },
  ];
  const TYPES = ['Created', 'Changed', 'Full', 'Destroyed'].map((type) => `Official Account ${type}`);

  test('each of 400 mixed changes is published at least once, with its detail type', async () => {
    const seen = failInTurn();
    const ids = Array.from({ length: 100 }, (_, n) => `mixed ${n}`);
    const TableName = deployment.spec.tableName;
    for (const record of LIFE) {
      const items = ids.map((officialAccountId) =>
        marshall({ sdkAppId: SDK_APP_ID, officialAccountId, eventTime: record.revision, receivedTime: 5, ...record }),
      );
      while (items.length > 0) {
        const puts = items.splice(0, 25).map((Item) => ({ PutRequest: { Item } }));
        await client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: puts } }));
      }
    }
    const expected = ids.flatMap((id) => TYPES.map((type, n) => `${id}, revision ${n + 1}: ${type}`));
    const described = () =>
      new Set(
        published.map(
          ({ 'detail-type': type, detail }) => `${detail.officialAccountId}, revision ${detail.revision}: ${type}`,
        ),
      );
    await until(() => described().size >= expected.length, 60_000);
    expect([...described()].toSorted()).toEqual(expected.toSorted());
    expect(published.flatMap(({ detail }) => eventProblems(detail))).toEqual([]);
    expect(seen).toEqual(FAULTS.flatMap(([fault, calls]) => Array(calls).fill(fault)));
    expect(deployment.sqs.messages(unpublishedQueue())).toEqual([]);
  });
});

const unpublishedQueue = () => deployment.spec.streamMappings[0]!.consumer.environment['UNPUBLISHED_QUEUE_URL']!;
const unpublished = () => deployment.sqs.messages(unpublishedQueue()).map((message) => JSON.parse(message));

describe('an unpublishable change', () => {
  afterEach(() => deployment.sqs.purge(unpublishedQueue()));

  const RECORD = { sdkAppId: SDK_APP_ID, name: 'a', createdTime: 1, eventTime: 1, receivedTime: 1, revision: 1 };
  const TOO_LARGE = 'x'.repeat(390_000);
  const put = (officialAccountId: string, change: Record<string, unknown>) => {
    const Item = marshall({ ...RECORD, officialAccountId, ...change });
    return client.send(new PutItemCommand({ TableName: deployment.spec.tableName, Item }));
  };

  test.each<[string, string, Record<string, unknown>, string, boolean]>([
    ['whose name is a number', 'types', { name: 1 }, 'name is of another type than the JSON Schema says', true],
    ['of 400 KB', 'size', { introduction: TOO_LARGE }, 'TooLarge', false],
  ])('%s is set aside, and does not block others', async (_what, id, change, reason, isWhole) => {
    await put(id, change);
    const others = await eventsBefore(`after ${id}`);
    expect(others).toEqual([]);
    const message = await until(() => unpublished()[0]); // changes are set aside after the others are published
    expect(message).toMatchObject({
      version: 1,
      reason: expect.stringContaining(reason),
      sequenceNumber: expect.stringMatching(/^\d+$/),
      keys: { sdkAppId: { S: SDK_APP_ID }, officialAccountId: { S: id } },
    });
    expect(message.newImage).toEqual(isWhole ? marshall({ ...RECORD, officialAccountId: id, ...change }) : undefined);
  });

  test('is not a record of 400 KB whose event is small', async () => {
    await put('large', { notes: TOO_LARGE });
    const events = await eventsBefore('after large');
    expect(events.map(({ detail }) => detail)).toEqual([
      { ...RECORD, officialAccountId: 'large', version: 1, type: 'Official Account Created' },
    ]);
    expect(unpublished()).toEqual([]);
  });

  test('is repeated until the queue accepts it', async () => {
    queues.fault = 'breaks';
    await put('set aside', { name: 1 });
    await deliver('behind it');
    await until(() => log.text.includes('the change can neither be published nor set aside'));
    expect(unpublished()).toEqual([]);
    queues.fault = undefined;
    await until(() => published.find(({ detail }) => detail.officialAccountId === 'behind it'));
    const { keys } = await until(() => unpublished()[0]);
    expect(keys.officialAccountId).toEqual({ S: 'set aside' });
    expect(unpublished()).toHaveLength(1);
  });
});

test('npm start prints the events, and serves them at the printed URL', async () => {
  await using local = await startLocalReceiver();
  const { body, headers } = await fetch(local.eventsUrl);
  expect(headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  const append = new WritableStream<string>({ write: (chunk) => void (text += chunk) });
  void body
    ?.pipeThrough(new TextDecoderStream())
    .pipeTo(append)
    .catch(() => {}); // until the receiver stops
  const served = () => [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, json = '']) => JSON.parse(json));

  expect(local.output.stdout).toMatch(/Published on the event bus:\n {2}\{\n(.*\n)*? {4}"detail-type": "Official Acc/);
  for (const id of ['@TOA#_新', '@TOA#_新', 'last']) {
    await post(local.url, ({ payload }) => (payload['Official_Account'] = id));
  }
  await until(() => served()[1]);
  expect(served().map(({ detail }) => detail.officialAccountId)).toEqual(['@TOA#_新', 'last']);
  const printed = () => [...local.output.stdout.matchAll(/^event (.*)$/gm)].map(([, json = '']) => JSON.parse(json));
  await until(() => printed()[1]);
  expect(printed()).toEqual(served());
});

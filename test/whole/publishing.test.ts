import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { dynamoDbClient } from '../../infra/local/aws/dynamodb.ts';
import { startDeployment, type Deployment } from '../../infra/local/deployment.ts';
import { eventProblems } from '../event-problems.ts';
import { httpDelivery, post, recorded, SDK_APP_ID, TOKEN } from '../delivery.ts';
import { startLocalReceiver } from '../local-receiver.ts';
import { until } from '../until.ts';

/** Reads Server-Sent Events, as `curl -N` and a browser's EventSource do. */
async function listen(url: string) {
  const events: Record<string, any>[] = [];
  const abort = new AbortController();
  const { body, headers } = await fetch(url, { signal: abort.signal });
  const read = async () => {
    let text = '';
    for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop() ?? '';
      const lines = blocks.flatMap((block) => block.split('\n')).filter((line) => line.startsWith('data: '));
      events.push(...lines.map((line) => JSON.parse(line.slice('data: '.length))));
    }
  };
  const reading = read().catch((error) => {
    if (!abort.signal.aborted) throw error;
  });
  return { events, type: headers.get('content-type'), stop: () => (abort.abort(), reading) };
}

let deployment: Deployment;
let listener: Awaited<ReturnType<typeof listen>>;
beforeAll(async () => {
  const log = new PassThrough().resume();
  deployment = await startDeployment({ context: { sdkAppId: SDK_APP_ID }, token: TOKEN, port: 0, log });
  listener = await listen(deployment.eventsUrl);
});
afterAll(async () => {
  await listener.stop();
  await deployment.stop();
});
beforeEach(() => {
  listener.events.length = 0;
});

const deliver = (id: string, change: Record<string, unknown> = {}) =>
  post(
    deployment.url,
    httpDelivery(({ payload }) => Object.assign(payload, { Official_Account: id }, change)),
  );

/** The events so far, once that of a last delivery has come: they come in order. */
async function eventsBefore(last: string): Promise<Record<string, any>[]> {
  await deliver(last);
  await until(() => listener.events.find(({ detail }) => detail.officialAccountId === last));
  return listener.events.slice(0, -1);
}

test('one event is announced for an official account, and none for a repeated or a stale delivery', async () => {
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
  expect(listener.type).toBe('text/event-stream');
});

test('one more is announced where a newer delivery changes the record', async () => {
  await deliver('changed');
  await deliver('changed', { EventTime: 1670574414124, Name: '改名' });
  const events = await eventsBefore('after changed');
  expect(events.map(({ detail }) => [detail.eventTime, detail.name])).toEqual([
    [1670574414123, 'TestOfficialAccount'],
    [1670574414124, '改名'],
  ]);
});

test('nothing is announced of a delivery that is refused or ignored', async () => {
  await deliver('refused', { Name: 1 });
  await post(
    deployment.url,
    httpDelivery(({ query }) => query.set('Sign', '0')),
  );
  await post(
    deployment.url,
    httpDelivery(({ query, payload }) => {
      query.set('CallbackCommand', 'x');
      Object.assign(payload, { CallbackCommand: 'x', Official_Account: 'ignored' });
    }),
  );
  expect(await eventsBefore('after refused')).toEqual([]);
});

test.each(['新闻公众号 🗞️', '"quoted\\"', 'two\nlines', '\u2028\u2029', '</script>', 'data: x\n\ndata: y'])(
  'the name %j arrives as it is, and the event meets its schema',
  async (Name) => {
    await deliver(`named ${Name}`, { Name });
    const [event, ...others] = await eventsBefore(`after ${Name}`);
    expect(event!['detail']).toMatchObject({ officialAccountId: `named ${Name}`, name: Name });
    expect(eventProblems(event!['detail'])).toEqual([]);
    expect(others).toEqual([]);
  },
);

test('200 deliveries at once make 200 events, each once', async () => {
  const ids = Array.from({ length: 200 }, (_, n) => `many ${n}`);
  await Promise.all(ids.map((id) => deliver(id)));
  const { sqs, spec } = deployment;
  const parked = () => spec.consumers.flatMap(({ queueName }) => sqs.messages(queueName)); // by a busy machine
  await until(() => parked().length === 0 || undefined);
  const announced = (await eventsBefore('after many')).map(({ detail }) => detail.officialAccountId);
  expect(announced.toSorted()).toEqual(ids.toSorted());
});

test('what people write into the table is announced where it is an event, and not where it is a note of theirs', async () => {
  const client = dynamoDbClient(deployment.dynamoDb.url);
  const TableName = deployment.spec.tableName;
  const Key = { sdkAppId: SDK_APP_ID, officialAccountId: 'by hand' };
  const record = {
    name: '手写',
    ownerAccount: 'a',
    operatorAccount: 'b',
    createdTime: 1,
    eventTime: 1,
    receivedTime: 2,
  };
  await client.send(new PutItemCommand({ TableName, Item: marshall({ ...Key, ...record }) }));
  await client.send(
    new UpdateItemCommand({
      TableName,
      Key: marshall(Key),
      UpdateExpression: 'SET category = :news',
      ExpressionAttributeValues: marshall({ ':news': 'news' }),
    }),
  );
  client.destroy();
  const events = await eventsBefore('after by hand');
  expect(events.map(({ detail }) => detail)).toEqual([
    { version: 1, type: 'Official Account Created', ...Key, ...record },
  ]);
});

test('a delivery that was parked is announced once it is stored', async () => {
  const [{ queueName } = { queueName: '' }] = deployment.spec.consumers;
  const body = Buffer.from(JSON.stringify({ ...recorded('created'), Official_Account: 'parked' })).toString('base64');
  const query = { sdkAppId: SDK_APP_ID };
  await deployment.sqs.send(
    queueName,
    JSON.stringify({ version: 1, reason: 'notStored', requestId: 'r', receivedTime: Date.now(), query, body }),
  );
  const { detail } = (await until(() => listener.events[0])) as { detail: unknown };
  expect(detail).toMatchObject({ officialAccountId: 'parked' });
  expect(eventProblems(detail)).toEqual([]);
});

test('npm start prints the events, and serves them where it says', async () => {
  const local = await startLocalReceiver();
  const served = await listen(local.eventsUrl);
  try {
    expect(local.output.stdout).toMatch(
      /Announced on the event bus:\n {2}\{\n(.*\n)*? {4}"detail-type": "Official Acc/,
    );
    for (let repeat = 0; repeat < 2; repeat += 1) {
      await post(
        local.url,
        httpDelivery(({ payload }) => (payload['Official_Account'] = '@TOA#_新')),
      );
    }
    await post(
      local.url,
      httpDelivery(({ payload }) => (payload['Official_Account'] = 'last')),
    );
    await until(() => served.events[1]);
    expect(served.events.map(({ detail }) => detail.officialAccountId)).toEqual(['@TOA#_新', 'last']);
    const printed = await until(() => {
      const lines = local.output.stdout.split('\n').filter((line) => line.startsWith('event '));
      return lines.length === 2 ? lines : undefined;
    });
    expect(printed.map((line) => JSON.parse(line.slice('event '.length)))).toEqual(served.events);
  } finally {
    await served.stop();
    await local.stop();
  }
});

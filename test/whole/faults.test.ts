import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { FaultyDynamoDb, FaultySqs, type Fault } from '../faulty.ts';
import type { Deployment } from '../../infra/local/deployment.ts';
import { CHAT_TIMEOUT_MS, httpDelivery, OK, post, recorded, SDK_APP_ID, type HttpDelivery } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { logKeeper } from '../function-log.ts';
import { recordOf as recordIn } from '../records.ts';
import { slowed } from '../time.ts';
import { until } from '../until.ts';

const NOT_KEPT = {
  status: 503,
  type: 'application/json',
  body: '{"ActionStatus":"FAIL","ErrorInfo":"the delivery could not be kept","ErrorCode":120500}',
};
const INSTANCES = 2;
/** Several deliveries for each instance. */
const MANY = Array.from({ length: 2 * INSTANCES }, (_, index) => index);
const REPLY_LIMIT_MS = slowed(CHAT_TIMEOUT_MS);

const store = new FaultyDynamoDb();
const queue = new FaultySqs();
const log = logKeeper();
let deployment: Deployment;
let [parkingQueue, deadLetterQueue] = ['', ''];

beforeAll(async () => {
  deployment = await startSlowDeployment({
    startStore: store.start,
    startQueues: queue.start,
    queueSecondMs: 2,
    maxInstances: INSTANCES,
    log: log.stream,
  });
  parkingQueue = deployment.spec.consumers[0]!.queueName;
  deadLetterQueue = deployment.spec.queues.find(({ name }) => name !== parkingQueue)!.name;
});
afterAll(() => deployment?.stop());
beforeEach(() => {
  log.text = '';
});
afterEach(async () => {
  [store.fault, queue.fault] = [undefined, undefined];
  for (const name of [parkingQueue, deadLetterQueue]) await deployment.sqs.purge(name);
});

const parked = () => deployment.sqs.messages(parkingQueue);
const deadLetters = () => deployment.sqs.messages(deadLetterQueue).map((text) => JSON.parse(text));

const deliver = (id: string, change: (delivery: HttpDelivery) => void = () => {}) =>
  post(deployment.url, (delivery) => {
    delivery.payload = { ...recorded('made-up/created-chinese'), Official_Account: id };
    change(delivery);
  });

const recordOf = (id: string) => recordIn(store.serviceUrl, deployment.spec.tableName, id);

describe('if DynamoDB', () => {
  test.each<Fault>([
    'denies',
    'throttles',
    'breaks',
    'hangs',
    'is too slow',
    'sends half its answer',
    'cuts the connection',
    'answers nonsense',
  ])('%s, a delivery is parked, gets an OK in time, and is stored as soon as DynamoDB works again', async (fault) => {
    store.fault = fault;
    const start = Date.now();
    expect(await deliver(fault)).toEqual(OK);
    const replied = Date.now();
    expect(replied - start).toBeLessThan(REPLY_LIMIT_MS);
    expect(parked()).toHaveLength(1);
    expect(await log.deliveryOf(fault)).toMatchObject({
      level: 'WARN',
      outcome: 'parked',
      error: { name: expect.any(String), message: expect.any(String) },
    });

    store.fault = undefined;
    expect(await until(() => recordOf(fault))).toEqual({
      sdkAppId: SDK_APP_ID,
      officialAccountId: fault,
      name: '新闻公众号 🗞️',
      ownerAccount: '李雷',
      operatorAccount: 'administrator',
      createdTime: 1670574414123,
      eventTime: 1670574414123,
      receivedTime: expect.any(Number),
      clientIp: '203.0.113.7',
      optPlatform: 'RESTAPI',
      revision: 1,
    });
    // The time of the delivery, not the time at which it was stored.
    const { receivedTime } = (await recordOf(fault)) as { receivedTime: number };
    expect(receivedTime).toBeGreaterThanOrEqual(start);
    expect(receivedTime).toBeLessThanOrEqual(replied);
    await until(() => parked().length === 0);
    expect(deadLetters()).toEqual([]);
  });

  test.each<Fault>(['succeeds, then cuts the connection', 'succeeds, then hangs'])(
    '%s, the record is stored, and the parked delivery does not change it',
    async (fault) => {
      store.fault = fault;
      expect(await deliver(fault)).toEqual(OK);
      store.fault = undefined;
      const record = await recordOf(fault);
      expect(record).toMatchObject({ eventTime: 1670574414123 });
      await until(() => parked().length === 0);
      expect(await recordOf(fault)).toEqual(record);
    },
  );

  test('works, a delivery in order takes one request, and a rejected or ignored one takes none', async () => {
    const before = store.requests;
    await deliver('one');
    await deliver('one', ({ payload }) => (payload['EventTime'] = 1670574414124));
    expect(store.requests - before).toBe(2);
    await deliver('one', ({ query }) => query.set('Sign', '0'));
    await deliver('one', (d) => (d.query.set('CallbackCommand', 'x'), (d.payload = {})));
    expect(store.requests - before).toBe(2);
  });

  test('has stalled many times, the stalled connections are closed, and the next delivery is stored', async () => {
    store.fault = 'sends half its answer';
    await Promise.all(MANY.map((n) => deliver(`stalled ${n}`)));
    store.fault = undefined;
    await until(() => store.owed <= INSTANCES, slowed(15_000)); // the deadline of the redrive is 10 s
    await until(() => parked().length === 0); // the redrive also calls SQS
    const before = queue.requests;
    expect(await deliver('after the stall')).toEqual(OK);
    expect(queue.requests).toBe(before);
    expect(await recordOf('after the stall')).toBeDefined();
  });
});

test.each<Fault>(['denies', 'hangs', 'sends half its answer'])(
  'if DynamoDB and SQS fail (each %s), a delivery gets a 503 in time, and the log has both errors',
  async (fault) => {
    [store.fault, queue.fault] = [fault, fault];
    const start = Date.now();
    expect(await deliver(`both ${fault}`)).toEqual(NOT_KEPT);
    expect(Date.now() - start).toBeLessThan(REPLY_LIMIT_MS);
    expect(await recordOf(`both ${fault}`)).toBeUndefined();
    expect(parked()).toEqual([]);
    expect(await log.deliveryOf(`both ${fault}`)).toMatchObject({
      level: 'ERROR',
      outcome: 'failed',
      reason: 'notKept',
      error: {
        message: 'the delivery could neither be stored nor parked',
        failures: [{ message: expect.any(String) }, { message: expect.any(String) }],
      },
    });
  },
);

test('if SQS has stalled many times, the stalled connections are closed, and the next delivery is parked', async () => {
  [store.fault, queue.fault] = ['denies', 'sends half its answer'];
  await Promise.all(MANY.map((n) => deliver(`stalled ${n}`)));
  queue.fault = undefined;
  await until(() => queue.owed <= INSTANCES);
  expect(await deliver('after the stall')).toEqual(OK);
  expect(parked().length).toBeGreaterThan(0);
});

describe('an authentic delivery that is rejected', () => {
  test.each<[string, string, (delivery: HttpDelivery) => void]>([
    ['is not UTF-8', 'badBody', (d) => (d.body = new Uint8Array([0xff, 0x00, 0xfe]))],
    ['lacks a field', 'badPayload', ({ payload }) => delete payload['Name']],
  ])('because it %s gets a FAIL and is dead-lettered unchanged', async (_why, reason, change) => {
    const sent = httpDelivery((d) => ((d.payload['Official_Account'] = 'kept'), change(d)));
    expect(JSON.parse((await post(deployment.url, sent)).body).ActionStatus).toBe('FAIL');
    const [letter, ...others] = deadLetters();
    expect(others).toEqual([]);
    expect(letter).toEqual({
      version: 1,
      reason,
      ...(reason === 'badPayload' && { field: 'Name' }),
      requestId: expect.any(String),
      receivedTime: expect.any(Number),
      query: {
        sdkAppId: SDK_APP_ID,
        callbackCommand: 'OfficialAccount.CallbackAfterCreateOfficialAccount',
        clientIp: '203.0.113.7',
        optPlatform: 'RESTAPI',
      },
      body: Buffer.from(sent.body ?? JSON.stringify(sent.payload)).toString('base64'),
    });
    expect(await until(() => log.linesOf('delivery')[0])).toMatchObject({
      outcome: 'rejected',
      reason,
      isDeadLettered: true,
    });
  });

  test('is dead-lettered even if it has characters that SQS rejects', async () => {
    const unusual = '\u0001\ufffe\uffff 平台';
    await deliver('kept', ({ query, payload }) => {
      query.set('OptPlatform', unusual);
      payload['Name'] = [unusual];
    });
    const [{ query, body }] = deadLetters();
    expect(query.optPlatform).toBe(unusual);
    expect(JSON.parse(Buffer.from(body, 'base64').toString()).Name).toEqual([unusual]);
  });

  test('because its body is too large is dead-lettered with the first 64 KiB', async () => {
    await deliver('large', (d) => (d.body = 'x'.repeat(70_000)));
    expect(deadLetters().map(({ body }) => Buffer.from(body, 'base64').length)).toEqual([65_536]);
  });

  test('gets a 503 if it cannot be dead-lettered', async () => {
    queue.fault = 'breaks';
    expect(await deliver('lost', ({ payload }) => delete payload['Name'])).toEqual(NOT_KEPT);
    expect(await log.deliveryOf('lost')).toMatchObject({
      error: { message: 'the delivery was rejected and could not be dead-lettered' },
    });
  });
});

test.each<[string, (message: Record<string, any>) => string]>([
  ['is cut short', (message) => JSON.stringify(message).slice(0, 50)],
  ['is not from this software', () => '{"hello":"world"}'],
  ['has another version', (message) => JSON.stringify({ ...message, version: 0 })],
  ['is for another app', (message) => JSON.stringify(withQuery(message, { sdkAppId: '1' }))],
  [
    'has an unhandled command',
    (message) => JSON.stringify({ ...withQuery(message, { callbackCommand: 'C2C.X' }), body: 'e30=' }),
  ],
  ['has a body that is rejected', (message) => JSON.stringify({ ...message, body: 'e30=' })],
])(
  'a parked message that %s goes to the dead-letter queue, and the rest of its batch is stored',
  async (what, change) => {
    store.fault = 'denies';
    await deliver(`before ${what}`);
    await deliver(`after ${what}`);
    const [good] = parked();
    const bad = change(JSON.parse(good ?? ''));
    await deployment.sqs.send(parkingQueue, bad);
    store.fault = undefined;
    await until(() => parked().length === 0);
    expect(deployment.sqs.messages(deadLetterQueue)).toEqual([bad]);
    expect(await recordOf(`before ${what}`)).toBeDefined();
    expect(await recordOf(`after ${what}`)).toBeDefined();
    expect(log.linesOf('redrive').filter(({ outcome }) => outcome === 'notUnderstood')).toHaveLength(10);
    expect(log.text).not.toContain('world');
  },
);

const withQuery = (message: Record<string, any>, query: object) => ({
  ...message,
  query: { ...message['query'], ...query },
});

test('if the receiver crashes between write and reply, the record is stored, and Chat gets a 500', async () => {
  store.fault = 'succeeds, then hangs';
  const reply = deliver('died after');
  expect(await until(() => recordOf('died after'))).toMatchObject({ eventTime: 1670574414123 });
  deployment.receiver.kill();
  expect(await reply).toMatchObject({ status: 500, body: '{"message":"Internal Server Error"}' });
  expect(parked()).toEqual([]);
  store.fault = undefined;
  expect(await deliver('died after')).toEqual(OK);
});

describe('with other options', () => {
  test('if DynamoDB fails for hours, a delivery goes to the dead-letter queue, and can be sent back', async () => {
    const [downStore, downLog] = [new FaultyDynamoDb(), logKeeper()];
    const options = { startStore: downStore.start, queueSecondMs: 0.1, log: downLog.stream };
    await using down = await startSlowDeployment(options);
    downStore.fault = 'denies';
    expect(await post(down.url)).toEqual(OK);
    const start = performance.now();
    const letter = await until(() => down.sqs.messages(deadLetterQueue)[0]);
    // The sum of the pauses: 30,660 s at 0.1 ms each.
    expect(performance.now() - start).toBeGreaterThan(3_000);
    expect(JSON.parse(letter)).toMatchObject({ reason: 'notStored' });
    const pauses = downLog.linesOf('redrive').map(({ retrySeconds }) => retrySeconds);
    expect(pauses).toEqual([60, 120, 240, 480, 960, 1920, 3840, 7680, 15_360, 0]);

    downStore.fault = undefined;
    await down.sqs.send(parkingQueue, letter);
    expect(await until(() => downLog.linesOf('redrive')[10])).toMatchObject({ outcome: 'stored', attempt: 1 });
  });

  test('authentication=off: a rejected delivery is only logged, so that strangers cannot fill the queue', async () => {
    const openLog = logKeeper();
    await using open = await startSlowDeployment({ environment: { AUTHENTICATION: 'off' }, log: openLog.stream });
    await post(open.url, ({ payload }) => delete payload['Name']);
    expect(await until(() => openLog.linesOf('delivery')[0])).toMatchObject({
      outcome: 'rejected',
      reason: 'badPayload',
      isDeadLettered: false,
    });
    for (const { name } of open.spec.queues) expect(open.sqs.messages(name)).toEqual([]);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CREATED, httpDelivery, OK, post, recorded, sign, TOKEN, type HttpDelivery } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { logKeeper } from '../function-log.ts';
import { recordOf, recordsOf } from '../records.ts';
import { until } from '../until.ts';

/** Returns the complete FAIL reply. */
function fail(errorCode: number, errorInfo: string) {
  return {
    status: 200,
    type: 'application/json',
    body: JSON.stringify({ ActionStatus: 'FAIL', ErrorInfo: errorInfo, ErrorCode: errorCode }),
  };
}
const WRONG_APP = fail(120001, 'SdkAppid is missing or is not this app');

const log = logKeeper();
let receiver: Awaited<ReturnType<typeof startSlowDeployment>>;
beforeAll(async () => {
  receiver = await startSlowDeployment({ log: log.stream });
});
afterAll(() => receiver?.stop());

const recordsIn = ({ dynamoDb, spec }: typeof receiver) => recordsOf(dynamoDb.url, spec.tableName);
const record = (of = id) => recordOf(receiver.dynamoDb.url, receiver.spec.tableName, of);

let accounts = 0;
let id: string;
beforeEach(() => {
  id = `@TOA#_test_${(accounts += 1)}`;
});

const delivered: HttpDelivery[] = [];

/** Posts a correct delivery with the changes. Each test has its own official account. */
async function deliver(...changes: ((delivery: HttpDelivery) => void)[]) {
  const delivery = httpDelivery((correct) => {
    correct.payload['Official_Account'] = id;
    for (const change of changes) change(correct);
  });
  delivered.push(delivery);
  return post(receiver.url, delivery);
}

describe('a correct delivery', () => {
  test('is stored with all attributes, and gets an OK', async () => {
    const before = Date.now();
    expect(await deliver()).toEqual(OK);
    const { receivedTime, ...stored } = (await record())!;
    expect(stored).toEqual({
      sdkAppId: '1400000000',
      officialAccountId: id,
      name: 'TestOfficialAccount',
      ownerAccount: '107867',
      operatorAccount: '107867',
      createdTime: 1670574414123,
      eventTime: 1670574414123,
      clientIp: '203.0.113.7',
      optPlatform: 'RESTAPI',
      revision: 1,
    });
    expect(receivedTime).toBeGreaterThanOrEqual(before);
    expect(receivedTime).toBeLessThanOrEqual(Date.now());
  });

  test.each<[string, (delivery: HttpDelivery) => void]>([
    ['with a JSON content type', ({ headers }) => (headers['content-type'] = 'application/json; charset=utf-8')],
    ['with a binary content type', ({ headers }) => (headers['content-type'] = 'application/octet-stream')],
    ['with unknown parameters and fields', (d) => (d.query.set('x', '1'), (d.payload['X'] = { y: [] }))],
  ])('is stored %s', async (_how, change) => {
    expect(await deliver(change)).toEqual(OK);
    expect(await record()).toMatchObject({ name: 'TestOfficialAccount', eventTime: 1670574414123 });
  });

  test.each(['#TOA#_two  spaces ', '@TOA#_新闻😀', '"\\\n\u2028'])(
    'is stored with exactly this ID, and with a Chinese name: %j',
    async (officialAccountId) => {
      const payload = { ...recorded('made-up/created-chinese'), Official_Account: officialAccountId };
      expect(await deliver((d) => (d.payload = payload))).toEqual(OK);
      expect(await record(officialAccountId)).toMatchObject({ name: '新闻公众号 🗞️', ownerAccount: '李雷' });
    },
  );
});

test('the first failed check determines the complete reply, and nothing is stored', async () => {
  const breaks: [object, (delivery: HttpDelivery) => void][] = [
    [
      fail(120007, 'a field of the body is missing, of the wrong type or out of range: Name'),
      (d) => delete d.payload['Name'],
    ],
    [fail(120006, 'CallbackCommand differs between URL and body'), (d) => (d.payload['CallbackCommand'] = 'another')],
    [fail(120005, 'the body is not JSON in UTF-8 of at most 64 KiB'), (d) => (d.body = '{')],
    [fail(120004, 'RequestTime is more than 60 seconds from now'), ({ query }) => sign(query, -100)],
    [fail(120003, 'Sign or RequestTime is missing, or Sign is wrong'), ({ query }) => query.set('Sign', '0')],
    [WRONG_APP, ({ query }) => query.append('SdkAppid', '1400000000')],
  ];
  for (const [index, [reply]] of breaks.entries()) {
    expect(await deliver(...breaks.slice(0, index + 1).map(([, change]) => change))).toEqual(reply);
  }
  expect(await record()).toBeUndefined();
});

test.each<[string, (delivery: HttpDelivery) => void]>([
  [
    'a "before" command, whose action a FAIL would block, even with a wrong Sign and half a body',
    (d) => {
      d.query.set('CallbackCommand', 'OfficialAccount.CallbackBeforeCreateOfficialAccount');
      d.query.set('Sign', '0');
      d.body = '{';
    },
  ],
  [
    'a Verify request without SdkAppid and body',
    (d) => (d.query.delete('CallbackCommand'), d.query.delete('SdkAppid'), (d.body = '')),
  ],
])('%s gets an OK and is not stored', async (_what, change) => {
  const before = await recordsIn(receiver);
  expect(await deliver(change)).toEqual(OK);
  expect(await recordsIn(receiver)).toEqual(before);
});

describe('the log', () => {
  test('has one line per delivery, with its outcome', async () => {
    await deliver();
    await deliver();
    await deliver((d) => (d.payload['EventTime'] = 'soon'));
    const lines = () => log.linesOf('delivery').filter((line) => line['officialAccountId'] === id);
    const line = {
      level: 'INFO',
      message: 'delivery',
      timestamp: expect.any(String),
      service: 'TencentChatWebhook',
      sampling_rate: 0,
      requestId: expect.stringMatching(/^[\da-f-]{36}$/),
      command: CREATED,
      officialAccountId: id,
      name: 'TestOfficialAccount',
      ownerAccount: '107867',
      eventAgeMs: expect.any(Number),
      storeMs: expect.any(Number),
      ms: expect.any(Number),
      outcome: 'stored',
    };
    await until(() => lines()[2]);
    expect(lines()).toEqual([
      line,
      { ...line, outcome: 'stale' },
      expect.objectContaining({ level: 'WARN', outcome: 'rejected', reason: 'badPayload', field: 'EventTime' }),
    ]);
  });

  test('never contains a Sign, the token or a body', async () => {
    // After all deliveries above, and one of each kind that ends in an error.
    await deliver((d) => (d.body = '{"Secret":"body text"'));
    await deliver((d) => (d.payload = { ...d.payload, Operator_Account: 'operator in the body', EventTime: null }));
    await log.deliveryOf(id);
    const signs = new Set(delivered.flatMap(({ query }) => query.getAll('Sign')).filter((each) => each.length > 1));
    expect(signs.size).toBeGreaterThan(1);
    for (const secret of [...signs, TOKEN, 'body text', 'operator in the body']) {
      expect(log.text).not.toContain(secret);
    }
    expect(log.text).not.toMatch(/Sign=|RequestTime=/i);
  });
});

describe('with other options', () => {
  test('authentication=off and an allow-list with the caller: unsigned deliveries are stored', async () => {
    const environment = { AUTHENTICATION: 'off', ALLOWED_CIDRS: '127.0.0.0/8', SDK_APP_ID: '1400009999' } as const;
    await using open = await startSlowDeployment({ environment, log: log.stream });
    const unsigned = httpDelivery(({ query, payload }) => {
      query.set('SdkAppid', '1400009999');
      query.delete('Sign');
      query.delete('RequestTime');
      payload['EventTime'] = 1670574414124;
    });
    expect(await post(open.url, unsigned)).toEqual(OK);
    expect(await recordsIn(open)).toMatchObject([{ sdkAppId: '1400009999', eventTime: 1670574414124 }]);
    expect(await post(open.url)).toEqual(WRONG_APP);
  });

  test('an allow-list without the caller: a delivery is dead-lettered unchanged, and stored when it is sent back', async () => {
    const environment = { ALLOWED_CIDRS: '198.51.100.0/24' };
    await using closed = await startSlowDeployment({ environment, log: log.stream });
    const { sqs, spec, url } = closed;
    const { name: parkingQueue, deadLetters } = spec.queues.find((queue) => queue.deadLetters)!;
    const created = { ...recorded('made-up/created-chinese'), Official_Account: id };
    const reply = await post(url, (d) => (d.payload = created));
    expect(reply).toEqual(fail(120002, 'the calling address is not allowed'));
    expect(await recordsIn(closed)).toEqual([]);
    const [letter = ''] = sqs.messages(deadLetters!.queueName);
    expect(JSON.parse(Buffer.from(JSON.parse(letter).body, 'base64').toString())).toEqual(created);
    await sqs.send(parkingQueue, letter);
    await until(async () => (await recordsIn(closed)).length > 0);
    expect(await recordsIn(closed)).toMatchObject([{ officialAccountId: id, name: '新闻公众号 🗞️' }]);
  });
});

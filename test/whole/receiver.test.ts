import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CREATED, httpDelivery, OK, post, recorded, sign, TOKEN, unixSeconds, type HttpDelivery } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { logKeeper } from '../function-log.ts';
import { recordsOf } from '../records.ts';
import { until } from '../until.ts';

/** Returns the complete FAIL reply. */
function fail(errorCode: number, errorInfo: string, status = 200) {
  return {
    status,
    type: 'application/json',
    body: JSON.stringify({ ActionStatus: 'FAIL', ErrorInfo: errorInfo, ErrorCode: errorCode }),
  };
}
const WRONG_APP = fail(120001, 'SdkAppid is missing or is not this app');
const BAD_SIGNATURE = fail(120003, 'Sign or RequestTime is missing, or Sign is wrong');
const EXPIRED = fail(120004, 'RequestTime is more than 60 seconds from now');
const BAD_BODY = fail(120005, 'the body is not JSON in UTF-8 of at most 64 KiB');
const COMMANDS_DISAGREE = fail(120006, 'CallbackCommand differs between URL and body');
const badField = (field: string) =>
  fail(120007, `a field of the body is missing, of the wrong type or out of range: ${field}`);

const log = logKeeper();
let receiver: Awaited<ReturnType<typeof startSlowDeployment>>;
beforeAll(async () => {
  receiver = await startSlowDeployment({ log: log.stream });
});
afterAll(() => receiver?.stop());

const records = () => recordsOf(receiver.dynamoDb.url, receiver.spec.tableName);

let accounts = 0;
let id: string;
beforeEach(() => {
  id = `@TOA#_test_${(accounts += 1)}`;
});

const delivered: HttpDelivery[] = [];

/** Posts a correct delivery with the change. Each test has its own official account. */
async function deliver(change: (delivery: HttpDelivery) => void = () => {}) {
  const delivery = httpDelivery((correct) => {
    correct.payload['Official_Account'] = id;
    change(correct);
  });
  delivered.push(delivery);
  return post(receiver.url, delivery);
}

async function recordOf(officialAccountId = id) {
  return (await records()).find((record) => record['officialAccountId'] === officialAccountId);
}

describe('a correct delivery', () => {
  test('is stored with all attributes, and gets an OK', async () => {
    const before = Date.now();
    expect(await deliver()).toEqual(OK);
    const { receivedTime, ...record } = await until(recordOf);
    expect(record).toEqual({
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
    ['with a byte order mark', (d) => (d.body = `\uFEFF${JSON.stringify(d.payload)}`)],
    [
      'with parameter names in lower case',
      (d) => (d.query = new URLSearchParams(d.query.toString().toLowerCase().replace(CREATED.toLowerCase(), CREATED))),
    ],
    ['with unknown parameters and fields', (d) => (d.query.set('x', '1'), (d.payload['X'] = { y: [] }))],
    ['with an upper-case Sign', ({ query }) => query.set('Sign', query.get('Sign')!.toUpperCase())],
    ['with the command only in the URL', (d) => delete d.payload['CallbackCommand']],
    ['with the command only in the body', ({ query }) => query.delete('CallbackCommand')],
    ['signed 55 s ago', ({ query }) => sign(query, -55)],
    ['without ClientIP and OptPlatform', ({ query }) => (query.delete('ClientIP'), query.delete('OptPlatform'))],
    ['with ClientIP twice', ({ query }) => query.append('ClientIP', '203.0.113.8')],
    ['with an empty ClientIP', ({ query }) => query.set('ClientIP', '')],
    ['with padding up to 64 KiB', (d) => (d.body = padded(d.payload, 65_536))],
  ])('is stored %s', async (_how, change) => {
    expect(await deliver(change)).toEqual(OK);
    expect(await until(recordOf)).toMatchObject({ name: 'TestOfficialAccount', eventTime: 1670574414123 });
  });

  test.each(['@TOA#_two  spaces ', '#TOA#_@#', '@TOA#_😀', '@TOA#_新闻', 'a'.repeat(1024), '"\\\n\u2028'])(
    'is stored with exactly this ID, and with a Chinese name: %j',
    async (officialAccountId) => {
      const payload = { ...recorded('made-up/created-chinese'), Official_Account: officialAccountId };
      expect(await deliver((d) => (d.payload = payload))).toEqual(OK);
      expect(await until(() => recordOf(officialAccountId))).toMatchObject({
        name: '新闻公众号 🗞️',
        ownerAccount: '李雷',
      });
    },
  );
});

function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}

function padded(payload: object, bytes: number): string {
  const text = JSON.stringify({ ...payload, Padding: '' });
  return text.replace('"Padding":""', `"Padding":"${'x'.repeat(bytes - text.length)}"`);
}

describe('a delivery is rejected and not stored:', () => {
  test.each<[string, object, (delivery: HttpDelivery) => void]>([
    // 120001
    ['SdkAppid empty', WRONG_APP, ({ query }) => query.set('SdkAppid', '')],
    ['SdkAppid twice', WRONG_APP, ({ query }) => query.append('SdkAppid', '1400000000')],
    ['SdkAppid in two spellings', WRONG_APP, ({ query }) => query.append('sdkappid', '1400000000')],
    [
      'SdkAppid missing, the command only in the body',
      WRONG_APP,
      ({ query }) => (query.delete('SdkAppid'), query.delete('CallbackCommand')),
    ],
    // 120003
    ['Sign empty', BAD_SIGNATURE, ({ query }) => query.set('Sign', '')],
    ['Sign twice', BAD_SIGNATURE, ({ query }) => query.append('Sign', query.get('Sign')!)],
    [
      'one digit of Sign wrong',
      BAD_SIGNATURE,
      ({ query }) =>
        query.set(
          'Sign',
          query.get('Sign')!.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
        ),
    ],
    ['Sign of another token', BAD_SIGNATURE, ({ query }) => sign(query, 0, 'another')],
    ['Sign of an empty token', BAD_SIGNATURE, ({ query }) => sign(query, 0, '')],
    [
      'RequestTime shifted by a second',
      BAD_SIGNATURE,
      ({ query }) => query.set('RequestTime', String(unixSeconds() + 1)),
    ],
    ['RequestTime twice', BAD_SIGNATURE, ({ query }) => query.append('RequestTime', query.get('RequestTime')!)],
    // 120004
    ['signed 61 s ago', EXPIRED, ({ query }) => sign(query, -61)],
    ['signed more than 60 s ahead', EXPIRED, ({ query }) => sign(query, 65)],
    ['RequestTime in milliseconds', EXPIRED, ({ query }) => sign(query, Date.now())],
    // 120005
    ['body empty', BAD_BODY, (d) => (d.body = '')],
    ['body nested 10,000 deep, and cut short', BAD_BODY, (d) => (d.body = '['.repeat(10_000))],
    ['body nested 10,000 deep', BAD_BODY, (d) => (d.body = nested(10_000))],
    [
      'Name nested 10,000 deep',
      BAD_BODY,
      (d) => (d.body = JSON.stringify(d.payload).replace('"TestOfficialAccount"', nested(10_000))),
    ],
    ['body of 64 KiB and a byte', BAD_BODY, (d) => (d.body = padded(d.payload, 65_537))],
    [
      'body in GBK',
      BAD_BODY,
      (d) => (d.body = Buffer.concat([Buffer.from('{"Name":"'), Buffer.from([0xd0, 0xc2]), Buffer.from('"}')])),
    ],
    ['body in UTF-16', BAD_BODY, (d) => (d.body = Buffer.from(`\uFEFF${JSON.stringify(d.payload)}`, 'utf16le'))],
    [
      'body with a __proto__ key',
      BAD_BODY,
      (d) => (d.body = JSON.stringify(d.payload).replace('{', '{"__proto__":{"Name":"x"},')),
    ],
    ['body with comments, as Tencent prints it', BAD_BODY, (d) => (d.body = `${JSON.stringify(d.payload)} // comment`)],
    ['body of form fields', BAD_BODY, (d) => (d.body = 'Name=x')],
    // 120006
    ['a command that is a number', COMMANDS_DISAGREE, (d) => (d.payload['CallbackCommand'] = 5)],
    // 120007
    ['body an array', badField('Official_Account'), (d) => (d.body = '[]')],
    ['EventTime in seconds', badField('EventTime'), (d) => (d.payload['EventTime'] = 1670574414)],
    ['EventTime 11 minutes ahead', badField('EventTime'), (d) => (d.payload['EventTime'] = Date.now() + 11 * 60_000)],
  ])('%s', async (_what, reply, change) => {
    const before = await records();
    expect(await deliver(change)).toEqual(reply);
    expect(await records()).toEqual(before);
  });

  test('the first failed check determines the reply', async () => {
    const breaks: [object, (delivery: HttpDelivery) => void][] = [
      [badField('Name'), (d) => delete d.payload['Name']],
      [COMMANDS_DISAGREE, (d) => (d.payload['CallbackCommand'] = 'another')],
      [BAD_BODY, (d) => (d.body = '{')],
      [BAD_BODY, (d) => (d.body = new Uint8Array([0xff]))],
      [EXPIRED, ({ query }) => sign(query, -100)],
      [BAD_SIGNATURE, ({ query }) => query.set('Sign', '0')],
      [WRONG_APP, ({ query }) => query.set('SdkAppid', '1')],
    ];
    for (let last = 0; last < breaks.length; last += 1) {
      const reply = await deliver((d) => breaks.slice(0, last + 1).forEach(([, change]) => change(d)));
      expect(reply).toEqual(breaks[last]![0]);
    }
  });
});

test.each<[string, object, (delivery: HttpDelivery) => void]>([
  ['before the fields of the body', WRONG_APP, (d) => (d.payload['EventTime'] = 0)],
  ['after the body', BAD_BODY, (d) => (d.body = '{')],
  ['after the age of the signature', EXPIRED, ({ query }) => sign(query, -100)],
])('the second check of the app runs %s', async (_when, reply, change) => {
  const answered = deliver((d) => {
    d.query.delete('SdkAppid');
    d.query.delete('CallbackCommand');
    change(d);
  });
  expect(await answered).toEqual(reply);
});

describe('a delivery that is not handled gets an OK and is not stored:', () => {
  test.each<[string, (delivery: HttpDelivery) => void]>([
    [
      'a "before" command, whose action a FAIL would block',
      (d) => (
        d.query.set('CallbackCommand', 'OfficialAccount.CallbackBeforeCreateOfficialAccount'),
        (d.payload['CallbackCommand'] = 'OfficialAccount.CallbackBeforeCreateOfficialAccount')
      ),
    ],
    [
      'a command of another group',
      (d) => (d.query.set('CallbackCommand', 'C2C.CallbackAfterSendMsg'), (d.body = '{}')),
    ],
    ['a command of another group with an array', (d) => (d.query.set('CallbackCommand', 'Group.X'), (d.body = '[]'))],
    [
      'a "before" command with a body of more than 64 KiB',
      (d) => (d.query.set('CallbackCommand', 'Group.CallbackBeforeInviteJoinGroup'), (d.body = padded({}, 70_000))),
    ],
    [
      'a "before" command with a body that is not JSON',
      (d) => (d.query.set('CallbackCommand', 'C2C.CallbackBeforeSendMsg'), (d.body = '{')),
    ],
    ['a command that is twice in the URL', ({ query }) => query.append('CallbackCommand', CREATED)],
    ['a Verify request with a blank body', (d) => (d.query.delete('CallbackCommand'), (d.body = ' \n'))],
    ['a Verify request', (d) => (d.query.delete('CallbackCommand'), (d.body = '{}'))],
    [
      'a Verify request without SdkAppid',
      (d) => (d.query.delete('CallbackCommand'), d.query.delete('SdkAppid'), (d.body = '{}')),
    ],
    [
      'a Verify request without SdkAppid and body',
      (d) => (d.query.delete('CallbackCommand'), d.query.delete('SdkAppid'), (d.body = '')),
    ],
  ])('%s', async (_what, change) => {
    const before = await records();
    expect(await deliver(change)).toEqual(OK);
    expect(await records()).toEqual(before);
  });
});

describe('repeats and order', () => {
  test('a repeated delivery gets an OK and changes nothing', async () => {
    await deliver();
    const record = await until(recordOf);
    expect(await deliver()).toEqual(OK);
    expect(await recordOf()).toEqual(record);
  });

  test('after 200 concurrent deliveries of one account in random order, the record has the newest values', async () => {
    const eventTimes = Array.from({ length: 200 }, (_, n) => 1670574414123 + Math.floor(n / 2)); // each twice
    const shuffled = eventTimes.map((time) => [Math.random(), time] as const).toSorted(([a], [b]) => a - b);
    const waiting = shuffled.map(([, time]) => time);
    const replies: unknown[] = [];
    const worker = async () => {
      for (let time = waiting.pop(); time !== undefined; time = waiting.pop()) {
        const payload = { ...recorded('created'), Official_Account: id, EventTime: time, Name: `第${time}号` };
        replies.push(await deliver((d) => (d.payload = payload)));
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    expect(replies).toEqual(eventTimes.map(() => OK));
    expect(await recordOf()).toMatchObject({
      name: '第1670574414222号',
      eventTime: 1670574414222,
      createdTime: 1670574414222,
    });
  });
});

describe('the log', () => {
  /** Waits for the log lines of an official account. */
  const linesAbout = async (officialAccountId: string, count: number) => {
    const lines = () => log.linesOf('delivery').filter((line) => line['officialAccountId'] === officialAccountId);
    await until(() => lines()[count - 1]);
    return lines();
  };

  test('has one line per delivery, with its outcome', async () => {
    await deliver();
    await deliver();
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
    expect(await linesAbout(id, 2)).toEqual([line, { ...line, outcome: 'stale' }]);
  });

  test('has the reason of a rejection', async () => {
    await deliver((d) => (d.payload['EventTime'] = 'soon'));
    expect(await linesAbout(id, 1)).toMatchObject([
      { level: 'WARN', outcome: 'rejected', reason: 'badPayload', field: 'EventTime' },
    ]);
  });

  test.each([
    ['a line break', `a"\n{"level":"ERROR"}${'x'.repeat(5000)}`],
    ['a signature, because & is missing', `${CREATED};Sign=${'0123456789abcdef'.repeat(4)}`],
    ['too many characters', 'x'.repeat(129)],
  ])('has only the length of a command that contains %s', async (_what, command) => {
    await deliver(({ query }) => (query.set('CallbackCommand', command), query.delete('Sign')));
    const logged = `${command.length} characters that are no command`;
    const line = await until(() => log.linesOf('delivery').find((entry) => entry['command'] === logged));
    expect(line).toMatchObject({ level: 'WARN', outcome: 'ignored', reason: 'badSignature' });
    expect(log.text).not.toContain(command.slice(-64));
  });

  test('has the name of an unhandled command, even with a digit', async () => {
    await deliver(({ query }) => query.set('CallbackCommand', 'C2C.CallbackBeforeSendMsg'));
    const named = () => log.linesOf('delivery').find(({ command }) => command === 'C2C.CallbackBeforeSendMsg');
    expect(await until(named)).toMatchObject({ outcome: 'ignored' });
  });

  test('never contains a Sign, the token or a body', async () => {
    // After all deliveries above, and one of each kind that ends in an error.
    await deliver((d) => (d.body = '{"Secret":"body text"'));
    await deliver((d) => (d.payload = { ...d.payload, Operator_Account: 'operator in the body', EventTime: null }));
    await linesAbout(id, 1);
    const signs = new Set(delivered.flatMap(({ query }) => query.getAll('Sign')).filter((sign) => sign.length > 1));
    expect(signs.size).toBeGreaterThan(5);
    for (const secret of [...signs, TOKEN, 'body text', 'operator in the body']) {
      expect(log.text).not.toContain(secret);
    }
    expect(log.text).not.toMatch(/Sign=|RequestTime=/i);
  });
});

describe('with other options', () => {
  test('authentication=off and an allow-list with the caller: unsigned deliveries are stored', async () => {
    const context = { authentication: 'off', allowedCidrs: '127.0.0.0/8', sdkAppId: '1400009999' };
    await using open = await startSlowDeployment({ context, log: log.stream });
    const unsigned = httpDelivery(({ query, payload }) => {
      query.set('SdkAppid', '1400009999');
      query.delete('Sign');
      query.delete('RequestTime');
      payload['EventTime'] = 1670574414124;
    });
    expect(await post(open.url, unsigned)).toEqual(OK);
    expect(await recordsOf(open.dynamoDb.url, open.spec.tableName)).toMatchObject([
      { sdkAppId: '1400009999', eventTime: 1670574414124 },
    ]);
    expect(await post(open.url)).toEqual(WRONG_APP);
  });
});

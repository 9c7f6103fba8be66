import { describe, expect, test } from '@jest/globals';
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { toEvent } from '../../infra/local/aws/gateway.ts';
import { createHandler, type Dependencies } from '../../lambda/handler.ts';
import { REASONS, type ReasonName } from '../../lambda/outcomes.ts';
import { webhookToken } from '../../lambda/token.ts';
import {
  CREATED,
  DOCUMENTED_COMMANDS,
  httpDelivery,
  SAMPLES,
  SDK_APP_ID,
  sign,
  TOKEN,
  type HttpDelivery,
} from '../delivery.ts';

type Change = (delivery: HttpDelivery) => void;

/**
 * Passes a correct delivery with the changes through a receiver.
 *
 * @param dependencies replace those that work.
 * @param print gets each line of the log.
 * @returns all effects.
 */
async function outcomeOf(
  changes: readonly Change[],
  dependencies: Partial<Dependencies> = {},
  print: (line: string) => void = () => {},
) {
  const effects = { stored: [] as string[], parked: 0, deadLetters: [] as string[] };
  const lines: Record<string, any>[] = [];
  const write = (line: string) => {
    print(line);
    lines.push(JSON.parse(line));
  };
  const console = { log: write, info: write, warn: write, error: write };
  const handler = createHandler({
    logger: Object.assign(new Logger({ serviceName: 'test' }), { console }),
    metrics: Object.assign(new Metrics({ namespace: 'test' }), { console }),
    sdkAppId: SDK_APP_ID,
    allowedCidrs: [],
    token: webhookToken(async () => [TOKEN]),
    dynamoDb: {
      send: async ({ input }: any) => void effects.stored.push(input.Key.officialAccountId.S),
      destroy() {},
    } as unknown as Dependencies['dynamoDb'],
    tableName: 'accounts',
    queues: async () => ({
      park: async () => void (effects.parked += 1),
      deadLetter: async (_delivery, reason) => void effects.deadLetters.push(reason),
      destroy() {},
    }),
    forwarder: undefined,
    ...dependencies,
  });
  const {
    query,
    payload,
    body = JSON.stringify(payload),
  } = httpDelivery((correct) => changes.forEach((change) => change(correct)));
  const request = { httpVersion: '1.1', headers: {}, sourceIp: '203.0.113.1', rawQueryString: query.toString() };
  const event = toEvent({ ...request, body: Buffer.from(body) }, { method: 'POST', path: '/webhook' });
  const reply = (await handler(event as never, {} as never)) as { statusCode: number; headers: object; body: string };
  expect(reply.headers).toEqual({ 'content-type': 'application/json' });
  const count = lines.find((line) => '_aws' in line);
  return {
    status: reply.statusCode,
    reply: JSON.parse(reply.body),
    ...effects,
    counted: count && { outcome: count['outcome'], reason: count['reason'] },
    line: lines.find(({ message }) => message === 'delivery'),
  };
}

const OK = { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 };

/** Effects of a delivery that gets an OK and is not stored. */
const ignored = (reason?: ReasonName) => ({
  status: 200,
  reply: OK,
  stored: [],
  parked: 0,
  deadLetters: [],
  // A delivery with a reason counts only by its reason, because it does not prove traffic.
  counted: reason === undefined ? { outcome: 'ignored', reason } : { outcome: undefined, reason },
  line: expect.objectContaining({ outcome: 'ignored', ...(reason && { level: 'WARN', reason }) }),
});

const rejected = (reason: ReasonName, { isDeadLettered = false, field = '' } = {}) => {
  const { status, errorCode, errorInfo } = REASONS[reason];
  const outcome = reason === 'notKept' ? 'failed' : 'rejected';
  return {
    status,
    reply: { ActionStatus: 'FAIL', ErrorInfo: field ? `${errorInfo}: ${field}` : errorInfo, ErrorCode: errorCode },
    stored: [],
    parked: 0,
    deadLetters: isDeadLettered ? [reason] : [],
    counted: { outcome, reason },
    line: expect.objectContaining({ outcome, reason }),
  };
};

const other =
  (command: string): Change =>
  (d) => (d.query.set('CallbackCommand', command), (d.payload = { CallbackCommand: command }));
const beforeSend = other('C2C.CallbackBeforeSendMsg');
const none: Change = (d) => (d.query.delete('CallbackCommand'), (d.payload = {}));
const verify: Change = (d) => (none(d), (d.body = ''));
const withoutApp: Change = ({ query }) => query.delete('SdkAppid');

/** Faults of a delivery, in the order of the checks. */
const FAULTS: [string, ReasonName, Change][] = [
  ['the SdkAppid of another app', 'wrongApp', ({ query }) => query.set('SdkAppid', '1400000001')],
  ['no SdkAppid', 'wrongApp', withoutApp],
  ['a wrong Sign', 'badSignature', ({ query }) => query.set('Sign', 'deadbeef')],
  ['no Sign', 'badSignature', ({ query }) => query.delete('Sign')],
  ['no RequestTime', 'badSignature', ({ query }) => query.delete('RequestTime')],
  ['a RequestTime of two minutes ago', 'expired', ({ query }) => sign(query, -120)],
  ['a RequestTime in two minutes', 'expired', ({ query }) => sign(query, 120)],
  ['half a body', 'badBody', (d) => (d.body = '{"Name":"新')],
  ['a body that is not UTF-8', 'badBody', (d) => (d.body = new Uint8Array([0xff]))],
  ['a body that is too large', 'badBody', (d) => (d.body = 'x'.repeat(65_537))],
  [
    'another command in the body',
    'commandsDisagree',
    ({ payload }) => (payload['CallbackCommand'] = 'Group.CallbackAfterGroupDestroyed'),
  ],
  ['a missing field', 'badPayload', ({ payload }) => delete payload['Name']],
  ['a field of the wrong type', 'badPayload', ({ payload }) => (payload['Name'] = 5)],
];
const faultsOf = (...reasons: ReasonName[]) => FAULTS.filter(([, reason]) => reasons.includes(reason));
const OF_STRANGERS = faultsOf('wrongApp', 'badSignature', 'expired');
const OF_CHAT = faultsOf('badBody', 'commandsDisagree', 'badPayload');
/** An allow-list without the caller. */
const CLOSED = { allowedCidrs: ['198.51.100.0/24'] };
const tokenless = () => ({ token: webhookToken(() => Promise.reject(new Error('Secrets Manager fails'))) });

describe('a handled command', () => {
  test('without a fault is stored', async () => {
    expect(await outcomeOf([])).toEqual({
      ...ignored(),
      stored: ['@TOA#_test_OA_for_penn'],
      counted: { outcome: 'stored', reason: undefined },
      line: expect.objectContaining({ level: 'INFO', outcome: 'stored' }),
    });
  });

  test.each(OF_STRANGERS)(
    'with %s is rejected (%s) and not dead-lettered, because it may come from a stranger',
    async (_what, reason, change) => {
      for (const allowList of [{}, CLOSED]) expect(await outcomeOf([change], allowList)).toEqual(rejected(reason));
    },
  );

  test.each(OF_CHAT)('with %s is rejected (%s) and dead-lettered', async (_what, reason, change) => {
    const field = reason === 'badPayload' ? 'Name' : '';
    expect(await outcomeOf([change])).toEqual(rejected(reason, { isDeadLettered: true, field }));
  });

  test.each([['no fault', '', () => {}] as const, ...OF_CHAT])(
    'with %s from an address that is not allowed is rejected for its address and dead-lettered',
    async (_what, _reason, change) => {
      expect(await outcomeOf([change], CLOSED)).toEqual(rejected('wrongAddress', { isDeadLettered: true }));
    },
  );

  test('with several faults is rejected for the first failed check', async () => {
    const changes: Change[] = [];
    for (const [reason, change] of [...new Map(FAULTS.map(([, ...fault]) => fault))].toReversed()) {
      changes.push(change);
      expect((await outcomeOf(changes)).counted).toEqual({ outcome: 'rejected', reason });
    }
  });

  test('gets a 503 if the token cannot be read', async () => {
    expect(await outcomeOf([], tokenless())).toEqual(rejected('notKept'));
  });
});

describe('an unhandled command gets an OK with every fault, is not stored, and counts by the reason:', () => {
  test.each([
    ...DOCUMENTED_COMMANDS.filter((command) => !SAMPLES.has(command)),
    'C2C.CallbackBeforeSendMsg',
    'Group.CallbackAfterCreateGroup',
    'Alert.RequestOverLimit',
    'CallbackAfterCreateOfficialAccount',
    `C2C.${CREATED}`,
    CREATED.toLowerCase(),
    `${CREATED},${CREATED}`,
    'constructor',
    '__proto__',
    'size',
  ])('%s', async (command) => {
    expect(await outcomeOf([other(command)])).toEqual(ignored());
    for (const [what, reason, change] of FAULTS) {
      const expected = reason === 'badPayload' ? undefined : reason; // its fields are not checked
      expect([what, await outcomeOf([other(command), change])]).toEqual([what, ignored(expected)]);
    }
    expect(await outcomeOf([other(command)], CLOSED)).toEqual(ignored('wrongAddress'));
    expect(await outcomeOf([other(command)], tokenless())).toEqual(ignored('notKept'));
  });

  test('an array as the body', async () => {
    expect(await outcomeOf([beforeSend, (d) => (d.body = '[]')])).toEqual(ignored());
  });
});

describe('a delivery without a command', () => {
  test.each<[string, Change[]]>([
    ['without a body', [verify]],
    ['with a blank body', [none, (d) => (d.body = ' \n')]],
    ['without SdkAppid and body', [verify, withoutApp]],
  ])('%s is a Verify request, gets an OK, and is not counted as traffic', async (_what, changes) => {
    expect(await outcomeOf(changes)).toEqual({ ...ignored(), counted: undefined });
  });

  test('with an empty object gets an OK, with or without SdkAppid', async () => {
    expect(await outcomeOf([none])).toEqual(ignored());
    expect(await outcomeOf([none, withoutApp])).toEqual(ignored());
  });

  test.each(OF_STRANGERS.filter(([what]) => what !== 'no SdkAppid'))(
    'and with %s is rejected (%s)',
    async (_what, reason, change) => {
      expect(await outcomeOf([none, change])).toEqual(rejected(reason));
    },
  );

  test.each(faultsOf('badBody'))(
    'and with %s is rejected (%s) and dead-lettered, because the body may name one',
    async (_what, reason, change) => {
      expect(await outcomeOf([none, change])).toEqual(rejected(reason, { isDeadLettered: true }));
    },
  );

  test.each<[string, ReasonName, Change]>([
    ['before the fields of the body', 'wrongApp', ({ payload }) => (payload['EventTime'] = 0)],
    ['after the body', 'badBody', (d) => (d.body = '{')],
    ['after the age of the signature', 'expired', ({ query }) => sign(query, -100)],
  ])('in the URL and without SdkAppid is checked %s', async (_when, reason, change) => {
    const changes: Change[] = [withoutApp, ({ query }) => query.delete('CallbackCommand'), change];
    expect((await outcomeOf(changes)).line).toMatchObject({ outcome: 'rejected', reason });
  });

  test('gets a 503 if the token cannot be read', async () => {
    expect(await outcomeOf([none], tokenless())).toEqual(rejected('notKept'));
  });

  test('and without a body is not counted if its address is not allowed, because no data is lost', async () => {
    const expected = { ...rejected('wrongAddress'), counted: undefined };
    expect(await outcomeOf([verify], CLOSED)).toEqual(expected);
  });
});

describe('the log line', () => {
  test('names an unhandled command, even with a digit', async () => {
    expect((await outcomeOf([beforeSend])).line).toMatchObject({ command: 'C2C.CallbackBeforeSendMsg' });
  });

  test.each([
    ['a line break', `a"\n{"level":"ERROR"}${'x'.repeat(5000)}`],
    ['a signature, because & is missing', `${CREATED};Sign=${'0123456789abcdef'.repeat(4)}`],
    ['too many characters', 'x'.repeat(129)],
  ])('has only the length of a command that contains %s', async (_what, command) => {
    const { line } = await outcomeOf([other(command)]);
    expect(line).toMatchObject({ command: `${command.length} characters that are no command` });
    expect(JSON.stringify(line)).not.toContain(command.slice(-64));
  });

  test('has the name and the owner, cut to 128 characters', async () => {
    const { line } = await outcomeOf([
      ({ payload }) => Object.assign(payload, { Name: '新'.repeat(1_000), Owner_Account: '"李雷"\n' }),
    ]);
    expect(line).toMatchObject({ name: '新'.repeat(128), ownerAccount: '"李雷"\n' });
  });

  test.each<[string, Change[]]>([
    ['stored', []],
    ['rejected', [({ query }) => query.set('SdkAppid', '1')]],
    ['ignored', [beforeSend, ({ query }) => query.set('Sign', '0')]],
  ])('of a delivery that is %s may fail: the reply stays the same', async (outcome, changes) => {
    const lost: string[] = [];
    const { write } = process.stderr;
    process.stderr.write = ((text: string) => lost.push(text)) as never;
    const broken = () => {
      throw new Error('the line can’t be written');
    };
    const { status, reply, stored } = await outcomeOf(changes, {}, broken).finally(() => {
      process.stderr.write = write;
    });
    const { line: _, counted: __, ...expected } = outcome === 'rejected' ? rejected('wrongApp') : ignored();
    expect({ status, reply }).toEqual({ status: expected.status, reply: expected.reply });
    expect(stored).toHaveLength(outcome === 'stored' ? 1 : 0);
    const line = { level: 'ERROR', message: 'a log line is lost', error: 'Error: the line can’t be written' };
    expect(lost.map((text) => JSON.parse(text))).toEqual([line, line]);
  });
});

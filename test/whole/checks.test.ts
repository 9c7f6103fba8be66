import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { REASONS, type ReasonName } from '../../lambda/outcomes.ts';
import {
  CHAT_TIMEOUT_MS,
  CREATED,
  post,
  recorded,
  sign,
  DOCUMENTED_COMMANDS,
  SAMPLES,
  type HttpDelivery,
} from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { faultyDynamoDb, faultySecretsManager, type Fault } from '../faults/faulty.ts';
import { logKeeper } from '../function-log.ts';
import { recordsOf } from '../records.ts';
import { slowed, TIME_SCALE } from '../time.ts';
import { until } from '../until.ts';

const BEFORE_SEND = 'C2C.CallbackBeforeSendMsg';
const OK = { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 };

/**
 * Starts a deployment, and observes the effects of deliveries.
 *
 * @param initFault fault of Secrets Manager, from init on.
 */
async function startObserved(context: Record<string, string>, initFault?: Fault) {
  const [store, secrets] = [faultyDynamoDb(TIME_SCALE), faultySecretsManager(TIME_SCALE)];
  const log = logKeeper();
  secrets.fault = initFault;
  const running = await startSlowDeployment({
    context,
    startStore: store.start,
    startSecrets: secrets.start,
    log: log.stream,
  });
  const { counts } = log;
  const parkingQueue = running.spec.consumers[0]!.queueName;
  const deadLetterQueue = running.spec.queues.find(({ deadLetters }) => deadLetters)!.deadLetters!.queueName;

  return {
    ...running,
    secrets,
    log,
    parkingQueue,
    deadLetterQueue,
    async stored() {
      const records = await recordsOf(store.serviceUrl, running.spec.tableName);
      return records.map(({ officialAccountId }) => officialAccountId);
    },
    /** Posts a correct delivery with the changes, and returns all effects. */
    async outcomeOf(...changes: ((delivery: HttpDelivery) => void)[]) {
      const queues = [parkingQueue, deadLetterQueue];
      for (const name of queues) await running.sqs.purge(name);
      const [before, countsBefore] = [await this.stored(), counts().length];
      const start = performance.now();
      const { status, body } = await post(running.url, (delivery) => changes.forEach((change) => change(delivery)));
      const milliseconds = performance.now() - start;
      const count = await until(() => counts()[countsBefore]);
      const [parked, deadLetters] = queues.map((name) => running.sqs.messages(name));
      return {
        status,
        reply: JSON.parse(body),
        isInTime: milliseconds < slowed(CHAT_TIMEOUT_MS),
        stored: (await this.stored()).filter((id) => !before.includes(id)),
        parked: parked!.length,
        deadLetters: deadLetters!.map((text) => JSON.parse(text).reason),
        counted: { outcome: count['outcome'], reason: count['reason'] },
      };
    },
  };
}

/** Effects of a delivery that gets an OK and is not stored. */
const ignored = (reason: ReasonName | undefined) => ({
  status: 200,
  reply: OK,
  isInTime: true,
  stored: [],
  parked: 0,
  deadLetters: [],
  // A delivery with a reason counts only by its reason, because it does not prove traffic.
  counted: reason === undefined ? { outcome: 'ignored', reason } : { outcome: undefined, reason },
});

const rejected = (reason: ReasonName, { isDeadLettered = false, field = '' } = {}) => {
  const { status, errorCode, errorInfo } = REASONS[reason];
  return {
    status,
    reply: { ActionStatus: 'FAIL', ErrorInfo: field ? `${errorInfo}: ${field}` : errorInfo, ErrorCode: errorCode },
    isInTime: true,
    stored: [],
    parked: 0,
    deadLetters: isDeadLettered ? [reason] : [],
    counted: { outcome: reason === 'notKept' ? 'failed' : 'rejected', reason },
  };
};

type Change = (delivery: HttpDelivery) => void;

const handled: Change = ({ payload }) => (payload['Official_Account'] = '@TOA#_checked');
const other =
  (command: string): Change =>
  (d) => (d.query.set('CallbackCommand', command), (d.payload = { CallbackCommand: command }));
const none: Change = (d) => (d.query.delete('CallbackCommand'), (d.payload = {}));

/** Faults of a delivery, in the order of the checks. */
const FAULTS_BY_REASON: Partial<Record<ReasonName, Record<string, Change>>> = {
  wrongApp: {
    'the SdkAppid of another app': ({ query }) => query.set('SdkAppid', '1400000001'),
    'no SdkAppid': ({ query }) => query.delete('SdkAppid'),
  },
  badSignature: {
    'a wrong Sign': ({ query }) => query.set('Sign', 'deadbeef'),
    'no Sign': ({ query }) => query.delete('Sign'),
    'no RequestTime': ({ query }) => query.delete('RequestTime'),
  },
  expired: {
    'a RequestTime of two minutes ago': ({ query }) => sign(query, -120),
    'a RequestTime in two minutes': ({ query }) => sign(query, 120),
  },
  badBody: {
    'half a body': (d) => (d.body = '{"Name":"新'),
    'a body that is not UTF-8': (d) => (d.body = new Uint8Array([0xff])),
    'a body that is too large': (d) => (d.body = 'x'.repeat(65_537)),
  },
  commandsDisagree: {
    'another command in the body': ({ payload }) => (payload['CallbackCommand'] = 'Group.CallbackAfterGroupDestroyed'),
  },
  badPayload: {
    'a missing field': ({ payload }) => delete payload['Name'],
    'a field of the wrong type': ({ payload }) => (payload['Name'] = 5),
  },
};
const changesOf = (...reasons: ReasonName[]) =>
  reasons.flatMap((reason) =>
    Object.entries(FAULTS_BY_REASON[reason] ?? {}).map(([what, change]) => [what, reason, change] as const),
  );
const UNREADABLE: Fault[] = ['denies', 'breaks', 'hangs'];

let receiver: Awaited<ReturnType<typeof startObserved>>;
let closed: typeof receiver;
beforeAll(async () => {
  receiver = await startObserved({});
  closed = await startObserved({ allowedCidrs: '198.51.100.0/24' });
});
afterAll(() => Promise.all([receiver?.stop(), closed?.stop()]));

describe('without an allow-list', () => {
  test('a correct delivery is stored', async () => {
    expect(await receiver.outcomeOf(handled)).toEqual({
      ...ignored(undefined),
      stored: ['@TOA#_checked'],
      counted: { outcome: 'stored', reason: undefined },
    });
  });

  test.each(changesOf('wrongApp', 'badSignature', 'expired'))(
    'a handled command with %s is rejected (%s), and not dead-lettered, because it may come from a stranger',
    async (_what, reason, change) => {
      expect(await receiver.outcomeOf(handled, change)).toEqual(rejected(reason));
    },
  );

  test.each(changesOf('badBody', 'commandsDisagree', 'badPayload'))(
    'a handled command with %s is rejected (%s) and dead-lettered',
    async (_what, reason, change) => {
      const field = reason === 'badPayload' ? 'Name' : '';
      expect(await receiver.outcomeOf(handled, change)).toEqual(rejected(reason, { isDeadLettered: true, field }));
    },
  );

  test.each(changesOf('badPayload'))('an unhandled command may have %s', async (_what, _reason, change) => {
    expect(await receiver.outcomeOf(other(BEFORE_SEND), change)).toEqual(ignored(undefined));
  });

  test('an unhandled command with several faults gets an OK, and counts by the first failed check', async () => {
    const everything = changesOf('badSignature', 'badBody').map(([, , change]) => change);
    expect(await receiver.outcomeOf(other(BEFORE_SEND), ...everything)).toEqual(ignored('badSignature'));
  });

  test('a correct delivery without a command is a Verify request, and gets an OK', async () => {
    expect(await receiver.outcomeOf(none)).toEqual(ignored(undefined));
    expect(await receiver.outcomeOf(none, ({ query }) => query.delete('SdkAppid'))).toEqual(ignored(undefined));
  });

  test('a Verify request with the SdkAppid of another app is rejected', async () => {
    const change: Change = ({ query }) => query.set('SdkAppid', '1400000001');
    expect(await receiver.outcomeOf(none, change)).toEqual(rejected('wrongApp'));
  });

  test.each(changesOf('badSignature', 'expired'))(
    'a Verify request with %s is rejected (%s)',
    async (_what, reason, change) => {
      expect(await receiver.outcomeOf(none, change)).toEqual(rejected(reason));
    },
  );

  test.each(changesOf('badBody'))(
    'a delivery without a command and with %s is rejected (%s) and dead-lettered, because the body may name one',
    async (_what, reason, change) => {
      expect(await receiver.outcomeOf(none, change)).toEqual(rejected(reason, { isDeadLettered: true }));
    },
  );

  test('Alert.RequestOverLimit, which has neither ClientIP nor EventTime, gets an OK', async () => {
    const alert: Change = (d) => {
      other('Alert.RequestOverLimit')(d);
      for (const name of ['ClientIP', 'OptPlatform']) d.query.delete(name);
    };
    expect(await receiver.outcomeOf(alert)).toEqual(ignored(undefined));
  });

  test('an EventTime that is a string of digits is stored as a number', async () => {
    const change: Change = ({ payload }) =>
      Object.assign(payload, { Official_Account: '@TOA#_text', EventTime: '1670574414123' });
    expect(await receiver.outcomeOf(change)).toMatchObject({ reply: OK, stored: ['@TOA#_text'] });
    await receiver.outcomeOf(change);
    expect(receiver.log.linesOf('delivery').at(-1)).toMatchObject({ outcome: 'stale' });
  });
});

describe('if the token cannot be read,', () => {
  let receiver: Awaited<ReturnType<typeof startObserved>>;
  beforeAll(async () => {
    receiver = await startObserved({}, 'denies');
  });
  afterAll(() => receiver?.stop());

  test.each(UNREADABLE)('because Secrets Manager %s, a handled command gets a 503', async (fault) => {
    receiver.secrets.fault = fault;
    expect(await receiver.outcomeOf(handled)).toEqual(rejected('notKept'));
  });

  test.each(UNREADABLE)('because Secrets Manager %s, an unhandled command gets an OK', async (fault) => {
    receiver.secrets.fault = fault;
    expect(await receiver.outcomeOf(other(BEFORE_SEND))).toEqual(ignored('notKept'));
  });

  test.each(UNREADABLE)('because Secrets Manager %s, a Verify request gets a 503', async (fault) => {
    receiver.secrets.fault = fault;
    expect(await receiver.outcomeOf(none)).toEqual(rejected('notKept'));
  });
});

describe('with an allow-list that lacks the caller', () => {
  test('a handled command is rejected, dead-lettered unchanged, and stored when it is sent back', async () => {
    const delivery: Change = (d) =>
      (d.payload = { ...recorded('made-up/created-chinese'), Official_Account: '@TOA#_addr' });
    expect(await closed.outcomeOf(delivery)).toEqual(rejected('wrongAddress', { isDeadLettered: true }));
    const [letter = ''] = closed.sqs.messages(closed.deadLetterQueue);
    expect(JSON.parse(Buffer.from(JSON.parse(letter).body, 'base64').toString())).toMatchObject({
      Official_Account: '@TOA#_addr',
      Name: '新闻公众号 🗞️',
    });
    await closed.sqs.send(closed.parkingQueue, letter);
    await until(async () => (await closed.stored()).includes('@TOA#_addr'));
  });

  test.each(changesOf('wrongApp', 'badSignature', 'expired'))(
    'a handled command with %s is rejected for that (%s), and not dead-lettered',
    async (_what, reason, change) => {
      expect(await closed.outcomeOf(handled, change)).toEqual(rejected(reason));
    },
  );

  test.each(changesOf('badBody', 'commandsDisagree', 'badPayload'))(
    'a handled command with %s is rejected for its address and dead-lettered',
    async (_what, _reason, change) => {
      expect(await closed.outcomeOf(handled, change)).toEqual(rejected('wrongAddress', { isDeadLettered: true }));
    },
  );

  test('a Verify request is rejected, and not counted, because no data is lost', async () => {
    const counted = () => closed.log.text.split('"_aws"').length;
    await closed.sqs.purge(closed.deadLetterQueue);
    const before = counted();
    const { status, body } = await post(closed.url, (d) => (none(d), (d.body = '')));
    expect({ status, reply: JSON.parse(body) }).toEqual({ status: 200, reply: rejected('wrongAddress').reply });
    expect(closed.sqs.messages(closed.deadLetterQueue)).toEqual([]);
    expect(await closed.outcomeOf(other(BEFORE_SEND))).toEqual(ignored('wrongAddress'));
    expect(counted()).toBe(before + 1);
  });
});

describe('an unhandled command gets an OK with every fault, is not stored, and counts by the reason:', () => {
  const OTHERS = [
    'C2C.CallbackBeforeSendMsg',
    'C2C.CallbackAfterSendMsg',
    'Group.CallbackBeforeInviteJoinGroup',
    'Group.CallbackAfterCreateGroup',
    'State.StateChange',
    'Alert.RequestOverLimit',
    'CallbackAfterCreateOfficialAccount',
    `C2C.${CREATED}`,
    CREATED.toLowerCase(),
  ];
  const UNHANDLED = [...DOCUMENTED_COMMANDS.filter((command) => !SAMPLES.has(command)), ...OTHERS];

  test.each(UNHANDLED)('%s', async (command) => {
    expect(await receiver.outcomeOf(other(command))).toEqual(ignored(undefined));
    for (const [what, reason, change] of changesOf(
      'wrongApp',
      'badSignature',
      'expired',
      'badBody',
      'commandsDisagree',
    )) {
      expect([what, await receiver.outcomeOf(other(command), change)]).toEqual([what, ignored(reason)]);
    }
    expect(await closed.outcomeOf(other(command))).toEqual(ignored('wrongAddress'));
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { REASONS, type ReasonName } from '../../lambda/outcomes.ts';
import {
  CHAT_TIMEOUT_MS,
  CREATED,
  httpDelivery,
  post,
  recorded,
  sign,
  DOCUMENTED_COMMANDS,
  SAMPLES,
  type HttpDelivery,
} from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { faultyDynamoDb, faultySecretsManager, faultySqs, type Fault } from '../faults/faulty.ts';
import { logKeeper } from '../function-log.ts';
import { recordsOf } from '../records.ts';
import { slowed, TIME_SCALE } from '../time.ts';
import { until } from '../until.ts';

const BEFORE_SEND = 'C2C.CallbackBeforeSendMsg';
const OK = { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 };

/**
 * A deployment on this machine, with what becomes of a delivery that is posted to it.
 *
 * @param initFault what Secrets Manager does during init as well.
 */
async function startObserved(context: Record<string, string>, initFault?: Fault) {
  const [store, secrets, queue] = [faultyDynamoDb(TIME_SCALE), faultySecretsManager(TIME_SCALE), faultySqs(TIME_SCALE)];
  const log = logKeeper();
  secrets.fault = initFault;
  const running = await startSlowDeployment({
    context,
    startStore: store.start,
    startQueues: queue.start,
    startSecrets: secrets.start,
    log: log.stream,
  });
  const { counts } = log;
  const parkingQueue = running.spec.consumers[0]!.queueName;
  const deadLetterQueue = running.spec.queues.find(({ deadLetters }) => deadLetters)!.deadLetters!.queueName;

  return {
    ...running,
    secrets,
    queue,
    log,
    parkingQueue,
    deadLetterQueue,
    async stored() {
      const records = await recordsOf(store.serviceUrl, running.spec.tableName);
      return records.map(({ officialAccountId }) => officialAccountId);
    },
    /** Posts a delivery that is right in every way but for the changes. */
    async outcomeOf(...changes: ((delivery: HttpDelivery) => void)[]) {
      const queues = [parkingQueue, deadLetterQueue];
      for (const name of queues) await running.sqs.purge(name);
      const [before, countsBefore] = [await this.stored(), counts().length];
      const start = performance.now();
      const { status, body } = await post(
        running.url,
        httpDelivery((delivery) => changes.forEach((change) => change(delivery))),
      );
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

/** What becomes of a delivery that is answered OK without being stored. */
const ignored = (reason: ReasonName | undefined) => ({
  status: 200,
  reply: OK,
  isInTime: true,
  stored: [],
  parked: 0,
  deadLetters: [],
  // With a reason it counts by that alone: not as a delivery that shows that all is well.
  counted: reason === undefined ? { outcome: 'ignored', reason } : { outcome: undefined, reason },
});

const refused = (reason: ReasonName, { isDeadLettered = false, field = '' } = {}) => {
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

/** What can be wrong with a delivery, in the order of the checks. */
const WRONG: Partial<Record<ReasonName, Record<string, Change>>> = {
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
    'a RequestTime of two minutes ahead': ({ query }) => sign(query, 120),
  },
  badBody: {
    'half a body': (d) => (d.body = '{"Name":"新'),
    'a body that is not UTF-8': (d) => (d.body = new Uint8Array([0xff])),
    'a body that is too large': (d) => (d.body = 'x'.repeat(65_537)),
  },
  commandsDisagree: {
    'another command in its body': ({ payload }) => (payload['CallbackCommand'] = 'Group.CallbackAfterGroupDestroyed'),
  },
  badPayload: {
    'a field missing': ({ payload }) => delete payload['Name'],
    'a field of another type': ({ payload }) => (payload['Name'] = 5),
  },
};
const changesOf = (...reasons: ReasonName[]) =>
  reasons.flatMap((reason) =>
    Object.entries(WRONG[reason] ?? {}).map(([what, change]) => [what, reason, change] as const),
  );
const UNREADABLE: Fault[] = ['denies', 'breaks', 'hangs'];

let receiver: Awaited<ReturnType<typeof startObserved>>;
let closed: typeof receiver;
beforeAll(async () => {
  receiver = await startObserved({});
  closed = await startObserved({ allowedCidrs: '198.51.100.0/24' });
});
afterAll(() => Promise.all([receiver?.stop(), closed?.stop()]));

describe('where every caller may call', () => {
  test('a delivery that is right is stored', async () => {
    expect(await receiver.outcomeOf(handled)).toEqual({
      ...ignored(undefined),
      stored: ['@TOA#_checked'],
      counted: { outcome: 'stored', reason: undefined },
    });
  });

  test.each(changesOf('wrongApp', 'badSignature', 'expired'))(
    'a command that is handled, with %s, is refused (%s), and not kept: it may be a stranger’s',
    async (_what, reason, change) => {
      expect(await receiver.outcomeOf(handled, change)).toEqual(refused(reason));
    },
  );

  test.each(changesOf('badBody', 'commandsDisagree', 'badPayload'))(
    'a command that is handled, with %s, is refused (%s), and kept for people',
    async (_what, reason, change) => {
      const field = reason === 'badPayload' ? 'Name' : '';
      expect(await receiver.outcomeOf(handled, change)).toEqual(refused(reason, { isDeadLettered: true, field }));
    },
  );

  test.each(changesOf('wrongApp', 'badSignature', 'expired', 'badBody', 'commandsDisagree'))(
    'another command with %s is answered OK, and counted as %s',
    async (_what, reason, change) => {
      expect(await receiver.outcomeOf(other(BEFORE_SEND), change)).toEqual(ignored(reason));
    },
  );

  test.each(changesOf('badPayload'))(
    'another command with %s is right: nobody looks',
    async (_what, _reason, change) => {
      expect(await receiver.outcomeOf(other(BEFORE_SEND), change)).toEqual(ignored(undefined));
    },
  );

  test('another command with everything wrong is answered OK, and counted by the first check', async () => {
    const everything = changesOf('badSignature', 'badBody').map(([, , change]) => change);
    expect(await receiver.outcomeOf(other(BEFORE_SEND), ...everything)).toEqual(ignored('badSignature'));
  });

  test('without a command, a delivery that is right is the console’s Verify probe', async () => {
    expect(await receiver.outcomeOf(none)).toEqual(ignored(undefined));
    expect(await receiver.outcomeOf(none, ({ query }) => query.delete('SdkAppid'))).toEqual(ignored(undefined));
  });

  test('without a command, another app’s SdkAppid is refused', async () => {
    const change: Change = ({ query }) => query.set('SdkAppid', '1400000001');
    expect(await receiver.outcomeOf(none, change)).toEqual(refused('wrongApp'));
  });

  test.each(changesOf('badSignature', 'expired'))(
    'without a command, %s is refused (%s): Verify shows a wrong token',
    async (_what, reason, change) => {
      expect(await receiver.outcomeOf(none, change)).toEqual(refused(reason));
    },
  );

  test.each(changesOf('badBody'))(
    'without a command, %s is refused (%s), and kept: it may have held one',
    async (_what, reason, change) => {
      expect(await receiver.outcomeOf(none, change)).toEqual(refused(reason, { isDeadLettered: true }));
    },
  );

  test('Alert.RequestOverLimit, which has neither ClientIP nor EventTime, is answered OK', async () => {
    const alert: Change = (d) => {
      other('Alert.RequestOverLimit')(d);
      for (const name of ['ClientIP', 'OptPlatform']) d.query.delete(name);
    };
    expect(await receiver.outcomeOf(alert)).toEqual(ignored(undefined));
  });

  test('an EventTime that is a text of digits is stored as a number', async () => {
    const change: Change = ({ payload }) =>
      Object.assign(payload, { Official_Account: '@TOA#_text', EventTime: '1670574414123' });
    expect(await receiver.outcomeOf(change)).toMatchObject({ reply: OK, stored: ['@TOA#_text'] });
    await receiver.outcomeOf(change);
    expect(receiver.log.linesOf('delivery').at(-1)).toMatchObject({ outcome: 'stale' });
  });
});

describe('where the token can’t be read', () => {
  let receiver: Awaited<ReturnType<typeof startObserved>>;
  beforeAll(async () => {
    receiver = await startObserved({}, 'denies');
  });
  afterAll(() => receiver?.stop());

  test.each(UNREADABLE)('since Secrets Manager %s, a command that is handled is answered 503', async (fault) => {
    receiver.secrets.fault = fault;
    expect(await receiver.outcomeOf(handled)).toEqual(refused('notKept'));
  });

  test.each(UNREADABLE)('since Secrets Manager %s, another command is answered OK', async (fault) => {
    receiver.secrets.fault = fault;
    expect(await receiver.outcomeOf(other(BEFORE_SEND))).toEqual(ignored('notKept'));
  });

  test.each(UNREADABLE)('since Secrets Manager %s, the Verify probe is answered 503', async (fault) => {
    receiver.secrets.fault = fault;
    expect(await receiver.outcomeOf(none)).toEqual(refused('notKept'));
  });
});

describe('where only others may call', () => {
  afterEach(() => {
    closed.queue.fault = undefined;
  });

  test('a command that is handled is refused, kept whole, and stored once it is sent back', async () => {
    const delivery: Change = (d) =>
      (d.payload = { ...recorded('made-up/created-chinese'), Official_Account: '@TOA#_addr' });
    expect(await closed.outcomeOf(delivery)).toEqual(refused('wrongAddress', { isDeadLettered: true }));
    const [letter = ''] = closed.sqs.messages(closed.deadLetterQueue);
    expect(JSON.parse(Buffer.from(JSON.parse(letter).body, 'base64').toString())).toMatchObject({
      Official_Account: '@TOA#_addr',
      Name: '新闻公众号 🗞️',
    });
    await closed.sqs.send(closed.parkingQueue, letter);
    await until(async () => (await closed.stored()).includes('@TOA#_addr') || undefined);
  });

  test.each(changesOf('wrongApp', 'badSignature', 'expired'))(
    'a command that is handled, with %s, is refused for that (%s), and not kept',
    async (_what, reason, change) => {
      expect(await closed.outcomeOf(handled, change)).toEqual(refused(reason));
    },
  );

  test.each(changesOf('badBody', 'commandsDisagree', 'badPayload'))(
    'a command that is handled, with %s, is refused for its address, and kept, before that is looked at',
    async (_what, _reason, change) => {
      expect(await closed.outcomeOf(handled, change)).toEqual(refused('wrongAddress', { isDeadLettered: true }));
    },
  );

  test('another command is answered OK, and counted as wrongAddress', async () => {
    expect(await closed.outcomeOf(other(BEFORE_SEND))).toEqual(ignored('wrongAddress'));
  });

  test('without a command and a body it is refused, and not counted: it holds nothing that could be lost', async () => {
    const counted = () => closed.log.text.split('"_aws"').length;
    await closed.sqs.purge(closed.deadLetterQueue);
    const before = counted();
    const { status, body } = await post(
      closed.url,
      httpDelivery((d) => (none(d), (d.body = ''))),
    );
    expect({ status, reply: JSON.parse(body) }).toEqual({ status: 200, reply: refused('wrongAddress').reply });
    expect(closed.sqs.messages(closed.deadLetterQueue)).toEqual([]);
    expect(await closed.outcomeOf(other(BEFORE_SEND))).toEqual(ignored('wrongAddress'));
    expect(counted()).toBe(before + 1);
  });

  test('where it can’t be kept, a command that is handled is answered 503', async () => {
    closed.queue.fault = 'breaks';
    expect(await closed.outcomeOf(handled)).toEqual(refused('notKept'));
  });
});

describe('each command that is not handled is answered OK whatever is wrong, stored nowhere, and counted by the reason:', () => {
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

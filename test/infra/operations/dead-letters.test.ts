import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  MessageNotInflight,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { awsJsonServer } from '../../../infra/local/aws/aws-json.ts';
import { listen } from '../../../infra/local/aws/loopback.ts';
import { startSqs, type Sqs } from '../../../infra/local/aws/sqs.ts';
import { deadLetterQueue } from '../../../infra/operations/dead-letter-queue.ts';
import { deadLettersProgram } from '../../../infra/operations/dead-letters.ts';
import { recorded, SDK_APP_ID } from '../../delivery.ts';
import { inProcess } from '../../in-process.ts';
import { program } from '../../program.ts';
import { until } from '../../until.ts';
import { AWS_ERRORS, receiverVariables, STACK, startFakeAws, type FakeAws } from './fake-aws.ts';

/** A message as the receiver and the redrive leave it. */
function message(
  changes: Record<string, unknown> = {},
  body: string | Uint8Array = JSON.stringify(recorded('created')),
) {
  return JSON.stringify({
    version: 1,
    reason: 'badPayload',
    field: 'Name',
    requestId: 'JKJaXmPLvHcESHA=',
    receivedTime: Date.now() - 3 * 60_000,
    query: { sdkAppId: SDK_APP_ID, callbackCommand: 'OfficialAccount.CallbackAfterCreateOfficialAccount' },
    body: Buffer.from(body).toString('base64'),
    ...changes,
  });
}

describe('a replay that is killed', () => {
  /** Two queues in memory, as a client sees them. @param dieAt the call after which, or before which, all is over. */
  function queuesInMemory(bodies: readonly string[]) {
    const dead = bodies.map((Body, n) => ({ MessageId: `${n}`, ReceiptHandle: `${n}`, Body, isHidden: false }));
    const parked: string[] = [];
    function client(dieAt: number, isDone: boolean) {
      let calls = 0;
      return {
        async send(command: object) {
          calls += 1;
          if (calls > dieAt || (calls === dieAt && !isDone)) throw new Error('killed');
          const answer = act(command);
          if (calls === dieAt) throw new Error('killed');
          return answer;
        },
      } as never;
    }
    function act(command: object) {
      if (command instanceof ReceiveMessageCommand) {
        const page = dead.filter(({ isHidden }) => !isHidden).slice(0, command.input.MaxNumberOfMessages);
        for (const each of page) each.isHidden = true;
        return { Messages: page };
      }
      if (command instanceof SendMessageCommand) return void parked.push(command.input.MessageBody ?? '');
      const { ReceiptHandle } = (command as DeleteMessageCommand | ChangeMessageVisibilityCommand).input;
      const index = dead.findIndex((each) => each.ReceiptHandle === ReceiptHandle);
      if (command instanceof DeleteMessageCommand) dead.splice(index, 1);
      else dead[index]!.isHidden = false;
      return {};
    }
    return { dead, parked, client };
  }

  async function replayAll(client: never): Promise<void> {
    const queue = deadLetterQueue(client, { parkingQueueUrl: 'parked', deadLetterQueueUrl: 'dead' });
    for await (const page of queue.all()) for (const letter of page) await queue.replay(letter);
  }

  const bodies = Array.from({ length: 100 }, (_, n) => message({ requestId: `${n}` }));
  const CALLS = 211; // eleven times ten received, the last time none; a hundred sent and deleted

  test.each([
    ['before', false],
    ['after', true],
  ])('%s every one of its steps loses nothing of 100 messages, and goes on', async (_when, isDone) => {
    for (let dieAt = 1; dieAt <= CALLS; dieAt += 1) {
      const { dead, parked, client } = queuesInMemory(bodies);
      await expect(replayAll(client(dieAt, isDone))).rejects.toThrow('killed');
      expect(new Set([...dead.map(({ Body }) => Body), ...parked])).toEqual(new Set(bodies));
      for (const each of dead) each.isHidden = false; // a minute later
      await replayAll(client(Infinity, true));
      expect(dead).toEqual([]);
      expect(new Set(parked)).toEqual(new Set(bodies));
      expect(parked.length).toBeLessThanOrEqual(bodies.length + 1);
    }
  });
});

describe('a look', () => {
  const QUEUES = { parkingQueueUrl: 'parked', deadLetterQueueUrl: 'dead' };
  async function everything(queue: ReturnType<typeof deadLetterQueue>): Promise<string[]> {
    const ids: string[] = [];
    for await (const page of queue.all()) ids.push(...page.map(({ id }) => id));
    return ids;
  }

  /**
   * A queue whose messages are visible again after so many receipts, as where a look takes longer than a minute.
   *
   * @param isFair whether each message has its turn, and not the first ones alone.
   */
  function hasty(count: number, hiddenReceipts: number, isFair = true) {
    const visibleFrom = Array.from({ length: count }, () => 0);
    const hiddenSeconds = new Set<number | undefined>();
    let receipts = 0;
    const client = {
      async send(command: object) {
        if (!(command instanceof ReceiveMessageCommand)) {
          throw new MessageNotInflight({ message: 'its minute is over', $metadata: {} });
        }
        hiddenSeconds.add(command.input.VisibilityTimeout);
        receipts += 1;
        const visible = visibleFrom.flatMap((from, n) => (from <= receipts ? [n] : []));
        const start = isFair ? (receipts * 10) % visible.length : 0;
        const page = visible.slice(start, start + 10);
        for (const n of page) visibleFrom[n] = receipts + hiddenReceipts;
        return { Messages: page.map((n) => ({ MessageId: `${n}`, ReceiptHandle: `${n}`, Body: '' })) };
      },
    };
    return { client: client as never, hiddenSeconds };
  }

  test('sees each message once, however fast they come back, and hides them for a minute', async () => {
    const { client, hiddenSeconds } = hasty(40, 3);
    const ids = await everything(deadLetterQueue(client, QUEUES));
    expect(ids.toSorted()).toEqual(Array.from({ length: 40 }, (_, n) => `${n}`).toSorted());
    expect([...hiddenSeconds]).toEqual([60]);
  });

  test('that sees the same again and again ends, and does not say that it was all', async () => {
    const queue = deadLetterQueue(hasty(40, 2, false).client, QUEUES);
    expect(await everything(queue)).toHaveLength(20);
    expect(queue.mayHaveMore()).toBe(true);
  });

  test('releases all although the minute of some is over', async () => {
    const { client } = hasty(20, 4);
    const queue = deadLetterQueue(client, QUEUES);
    await everything(queue);
    await expect(queue.release()).resolves.toBeUndefined();
  });

  test('on this machine takes its time, although the queues’ clock runs faster', async () => {
    const sqs = await startSqs([{ name: 'dead', visibilitySeconds: 30 }], 1);
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const client = new SQSClient({ endpoint: sqs.url, region: 'us-east-1', credentials });
    const queue = deadLetterQueue(client, { parkingQueueUrl: '', deadLetterQueueUrl: sqs.queueUrl('dead') });
    try {
      for (let n = 0; n < 30; n += 1) await sqs.send('dead', message());
      let seen = 0;
      for await (const page of queue.all()) {
        seen += page.length;
        await sleep(100);
      }
      expect({ seen, mayHaveMore: queue.mayHaveMore() }).toEqual({ seen: 30, mayHaveMore: false });
    } finally {
      client.destroy();
      await sqs.close();
    }
  });
});

/** A queue with one message. It says OK to a receipt that is not the last, or is too old, and does nothing. */
async function startQueueOfOne(body: string) {
  let [receipt, isHidden, isThere] = [0, false, true];
  const isGood = ({ ReceiptHandle }: { ReceiptHandle?: string }) => isHidden && ReceiptHandle === String(receipt);
  const server = awsJsonServer({
    'AmazonSQS.ReceiveMessage': () => {
      if (isHidden || !isThere) return {};
      isHidden = true;
      receipt += 1;
      const MD5OfBody = createHash('md5').update(body).digest('hex');
      return { Messages: [{ MessageId: 'one', ReceiptHandle: String(receipt), Body: body, MD5OfBody }] };
    },
    'AmazonSQS.ChangeMessageVisibility': (input) => {
      if (isGood(input)) isHidden = false;
      return {};
    },
    'AmazonSQS.DeleteMessage': (input) => {
      if (isGood(input)) isThere = false;
      return {};
    },
  });
  return {
    ...(await listen(server, 0)),
    letAMinutePass: () => void (isHidden = false),
    isThere: () => isThere,
    isHidden: () => isHidden,
  };
}

describe('the command', () => {
  let aws: FakeAws;
  let sqs: Sqs;
  beforeAll(async () => {
    aws = await startFakeAws();
  });
  afterAll(() => aws.close());
  beforeEach(async () => {
    // At the speed of SQS: what is not released stays hidden for longer than a test.
    sqs = await startSqs(
      [
        { name: 'parked', visibilitySeconds: 180 },
        { name: 'dead', visibilitySeconds: 30 },
      ],
      1_000,
    );
    aws.errors = {};
    aws.variables = {
      ...receiverVariables('accounts'),
      PARKING_QUEUE_URL: sqs.queueUrl('parked'),
      DEAD_LETTER_QUEUE_URL: sqs.queueUrl('dead'),
      AUTHENTICATION: 'off',
    };
  });
  afterEach(() => sqs.close());

  const environment = () => ({ ...aws.environment, AWS_ENDPOINT_URL_SQS: sqs.url });
  const deadLetters = (...args: string[]) => inProcess(deadLettersProgram, [...args, '--stack', STACK], environment());
  /** In a process of its own, as a user does. */
  const start = (args: string[], env: Record<string, string> = {}) =>
    program('infra/operations/dead-letters.ts', [...args, '--stack', STACK], { ...environment(), ...env });
  const listed = async (): Promise<Record<string, unknown>[]> =>
    JSON.parse((await deadLetters('list', '--json')).stdout);

  test('list shows what lies there, oldest first, and lets others see it at once', async () => {
    await sqs.send('dead', message());
    await sqs.send(
      'dead',
      message({ reason: 'notStored', field: undefined, receivedTime: Date.now() - 3 * 86_400_000 }),
    );
    await sqs.send('dead', 'none of \u00A0ours');
    const { code, stdout, stderr } = await start(['list']).ended;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const id = expect.stringMatching(/^[\da-f-]{36}$/);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const about = ['OfficialAccount.CallbackAfterCreateOfficialAccount', '@TOA#_test_OA_for_penn'];
    const rows = stdout.trimEnd().split('\n');
    expect(rows.map((row) => row.split(/ {2,}/))).toEqual([
      ['ID', 'RECEIVED', 'AGE', 'REASON', 'COMMAND', 'OFFICIAL ACCOUNT'],
      [id, '-', '-', 'notUnderstood', '-', '-'],
      [id, time, '3 d', 'notStored', ...about],
      [id, time, '3 min', 'badPayload (Name)', ...about],
    ]);
    expect(new Set(rows.map((row) => row.search(/OFFICIAL|@TOA|-$/))).size).toBe(1);
    expect(await listed()).toMatchObject([
      { reason: 'notUnderstood' },
      { reason: 'notStored', ageSeconds: expect.any(Number) },
      { reason: 'badPayload', field: 'Name', requestId: 'JKJaXmPLvHcESHA=' },
    ]);
  });

  test('an empty queue is said to be one', async () => {
    expect(await deadLetters('list')).toEqual({
      code: 0,
      stdout: `There are no dead letters in the stack ${STACK}.\n`,
      stderr: '',
    });
    expect(await listed()).toEqual([]);
  });

  test.each<[string, string, Record<string, unknown>]>([
    ['JSON', message(), { body: recorded('created') }],
    ['text', message({}, '{"cut": "sh'), { body: '{"cut": "sh' }],
    ['neither', message({}, Buffer.from([0xff, 0])), { bodyBase64: '/wA=' }],
    ['none of ours', '\u00A0?', { message: '\u00A0?', reason: 'notUnderstood' }],
  ])('show decodes a body that is %s', async (_what, text, content) => {
    await sqs.send('dead', text);
    const [{ id } = {}] = await listed();
    const json = JSON.parse((await deadLetters('show', String(id), '--json')).stdout);
    expect(json).toMatchObject({ id, ...content });
    const { code, stdout } = await deadLetters('show', String(id));
    expect(stdout).toContain(`id: ${id}\n`);
    expect(code).toBe(0);
    expect(sqs.messages('dead')).toEqual([text]);
  });

  test('what would steer a terminal is not printed', async () => {
    const csi = '\u009B2J'; // as ESC [
    const body = JSON.stringify({ ...recorded('created'), Official_Account: '\u001B[2J', Name: csi });
    const query = { callbackCommand: csi };
    await sqs.send('dead', message({ requestId: '\u001B[31m', query }, body));
    const [{ id } = {}] = await listed();
    const shown = ['show', String(id)];
    expect(JSON.parse((await deadLetters(...shown, '--json')).stdout)).toMatchObject({ query, body: { Name: csi } });
    for (const args of [['list'], ['list', '--json'], shown, [...shown, '--json'], ['replay', '--all']]) {
      expect((await deadLetters(...args)).stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    }
  });

  test('an official account that is no text is shown as JSON, whatever it is', async () => {
    const account = { toString: 1 };
    await sqs.send('dead', message({}, JSON.stringify({ ...recorded('created'), Official_Account: account })));
    const [letter = {}] = await listed();
    expect(letter).toMatchObject({ officialAccountId: '{"toString":1}' });
    for (const args of [['list'], ['show', String(letter['id'])], ['replay', '--all']]) {
      const { code, stdout, stderr } = await deadLetters(...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain('{"toString":1}');
    }
  });

  test('replay sends one on, and leaves the others', async () => {
    for (const n of [0, 1, 2]) await sqs.send('dead', message({ requestId: `${n}` }));
    const chosen = (await listed()).find(({ requestId }) => requestId === '1');
    const { code, stdout } = await deadLetters('replay', String(chosen?.['id']));
    expect(stdout).toMatch(/^Replayed: [\da-f-]{36} {2}badPayload {2}OfficialAccount\.Callback\w+ {2}@TOA#_\w+\n$/);
    expect(code).toBe(0);
    const requests = (queue: string) => sqs.messages(queue).map((text) => JSON.parse(text).requestId);
    expect(requests('parked')).toEqual(['1']);
    expect(requests('dead')).toEqual(['0', '2']);
    expect(await listed()).toHaveLength(2);
  });

  test('replay --all sends all on but what it does not understand, and says so', async () => {
    const all = Array.from({ length: 25 }, (_, n) => message({ requestId: `${n}` }));
    for (const text of all) await sqs.send('dead', text);
    await sqs.send('dead', message({ version: 2 }));
    const { code, stdout } = await deadLetters('replay', '--all');
    expect(stdout).toContain(`25 replayed in the stack ${STACK}, 1 left that this version of the software cannot read`);
    expect(code).toBe(1);
    expect(new Set(sqs.messages('parked'))).toEqual(new Set(all));
    expect(await listed()).toMatchObject([{ reason: 'notUnderstood' }]);
    const [{ id } = {}] = await listed();
    expect(await deadLetters('replay', String(id))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot read the message'),
    });
  });

  test('a message that comes back while the others are sent on is not sent on again', async () => {
    await sqs.send('dead', message({ requestId: 'hopeless' }));
    // As a redrive that gives up at once.
    aws.variables['PARKING_QUEUE_URL'] = sqs.queueUrl('dead');
    const { code, stdout } = await deadLetters('replay', '--all');
    expect(stdout).toMatch(
      /^Replayed: .*\nLeft: {5}.*\n1 replayed in the stack \w+, 1 left that came back, or were there twice\.\n$/,
    );
    expect(code).toBe(1);
    expect(await listed()).toHaveLength(1);
  });

  test('what the parking queue does not take stays', async () => {
    await sqs.send('dead', message());
    aws.variables['PARKING_QUEUE_URL'] = `${sqs.url}/000000000000/gone`;
    const { code, stderr } = await deadLetters('replay', '--all');
    expect(stderr).toBe(
      "Can't send the message to the parking queue: the queue does not exist any more\n" +
        '0 replayed, the others are still in the queue\n',
    );
    expect(code).toBe(1);
    expect(await listed()).toHaveLength(1);
  });

  test('drop deletes one for good, where somebody has said yes', async () => {
    await sqs.send('dead', message());
    const [{ id } = {}] = await listed();
    expect(await start(['drop', String(id)]).ended).toMatchObject({
      code: 2,
      stderr: 'cannot ask, because stdin is no terminal: add --yes\nSee --help.\n',
    });
    expect(await listed()).toHaveLength(1);
    expect(await deadLetters('drop', String(id), '--yes')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`Deleted: ${String(id)}`),
    });
    expect(sqs.messages('dead')).toEqual([]);
    expect(sqs.messages('parked')).toEqual([]);
  });

  test.each([
    ['yes', 'after a minute', 0, false],
    ['yes', 'at once', 0, false],
    ['no', 'after a minute', 1, true],
  ])('drop whose question is answered %s %s does what it says', async (answer, when, code, isThere) => {
    const queue = await startQueueOfOne(message());
    aws.variables['DEAD_LETTER_QUEUE_URL'] = `${queue.url}/000000000000/dead`;
    try {
      const { child, output, ended } = start(['drop', 'one'], {
        AWS_ENDPOINT_URL_SQS: queue.url,
        NODE_OPTIONS: '--import data:text/javascript,process.stdin.isTTY=true', // as with a person
      });
      await until(() => output.stderr.includes('Write yes to go on') || undefined);
      if (when === 'after a minute') queue.letAMinutePass();
      child.stdin.end(`${answer}\n`);
      expect(await ended).toMatchObject({ code });
      expect(queue.isThere()).toBe(isThere);
      expect(output.stdout.startsWith('Deleted: one')).toBe(!isThere);
      if (isThere) expect(queue.isHidden()).toBe(false);
    } finally {
      await queue.close();
    }
  });

  test('Ctrl-C ends a replay after the message at hand, and lets others see the rest at once', async () => {
    const all = Array.from({ length: 300 }, (_, n) => message({ requestId: `${n}` }));
    for (const text of all) await sqs.send('dead', text);
    const { child, ended } = start(['replay', '--all']);
    await until(() => sqs.messages('parked').length > 3 || undefined);
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(stderr).toMatch(/^Interrupted: \d+ replayed, the others are still in the queue\n$/);
    expect(code).toBe(1);
    expect(new Set([...sqs.messages('dead'), ...sqs.messages('parked')])).toEqual(new Set(all));
    expect(await listed()).toHaveLength(sqs.messages('dead').length);
  });

  test('SIGKILL loses nothing', async () => {
    const all = Array.from({ length: 300 }, (_, n) => message({ requestId: `${n}` }));
    for (const text of all) await sqs.send('dead', text);
    const { child, ended } = start(['replay', '--all']);
    await until(() => sqs.messages('parked').length > 3 || undefined);
    child.kill('SIGKILL');
    await ended;
    expect(sqs.messages('dead').length).toBeGreaterThan(0);
    expect(new Set([...sqs.messages('dead'), ...sqs.messages('parked')])).toEqual(new Set(all));
  });

  test.each<[string[], number, string]>([
    [['list', 'x'], 2, "too many arguments for 'list'. Expected 0 arguments but got 1: x.\nSee --help.\n"],
    [['show'], 2, "missing required argument 'id'\nSee --help.\n"],
    [['replay'], 2, 'give either an ID or --all\nSee --help.\n'],
    [['replay', 'x', '--all'], 2, 'give either an ID or --all\nSee --help.\n'],
    [['drop', 'x', '--all'], 2, "unknown option '--all'\nSee --help.\n"],
    [['list', '--yes'], 2, "unknown option '--yes'\nSee --help.\n"],
    [['replay', 'x', '--json'], 2, "unknown option '--json'\nSee --help.\n"],
    [
      ['list', '--inspector-port', '3001'],
      2,
      "option '--port <port>' cannot be used with option '--stack <name>'\nSee --help.\n",
    ],
    [['purge'], 2, "unknown command 'purge'\nSee --help.\n"],
    [
      ['show', 'x'],
      1,
      `There is no dead letter x in the stack ${STACK}. If another command is reading it, try again in a minute.\n`,
    ],
  ])('what makes no sense, and what is not there, is named in one line: %j', async (args, code, stderr) => {
    expect(await deadLetters(...args)).toEqual({ code, stdout: '', stderr });
  });

  test('a message made by hand, whose time is none, is shown as one that is not understood', async () => {
    await sqs.send('dead', message({ receivedTime: Number.MAX_SAFE_INTEGER }));
    expect(await listed()).toMatchObject([{ reason: 'notUnderstood' }]);
  });

  test('a queue that is gone, a right that is lacking and credentials that have expired are named in one line', async () => {
    aws.variables['DEAD_LETTER_QUEUE_URL'] = `${sqs.url}/000000000000/gone`;
    expect((await deadLetters('list')).stderr).toBe(
      "Can't read the dead-letter queue: the queue does not exist any more\n",
    );
    aws.errors = { DescribeStacks: AWS_ERRORS.denied('cloudformation:DescribeStacks') };
    expect((await deadLetters('list')).stderr).toBe(
      `Can't find the stack ${STACK}: your credentials lack the right cloudformation:DescribeStacks\n`,
    );
    aws.errors = { GetFunctionConfiguration: AWS_ERRORS.expired };
    expect((await deadLetters('list')).stderr).toContain('your AWS credentials have expired: log in again');
  });
});

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

/** Returns a dead letter of the receiver. */
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
  /** Creates two queues in memory. @param dieAt number of the call before or after which the process is killed. */
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
  const CALLS = 211; // 11 receives, the last one empty; 100 sends; 100 deletions

  test.each([
    ['before', false],
    ['after', true],
  ])('%s any of its steps loses none of 100 messages, and can be continued', async (_when, isDone) => {
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

describe('reading the queue', () => {
  const QUEUES = { parkingQueueUrl: 'parked', deadLetterQueueUrl: 'dead' };
  async function everything(queue: ReturnType<typeof deadLetterQueue>): Promise<string[]> {
    const ids: string[] = [];
    for await (const page of queue.all()) ids.push(...page.map(({ id }) => id));
    return ids;
  }

  /**
   * Creates a queue whose messages are visible again after some receives, as if reading took longer than a minute.
   *
   * @param isFair whether the queue returns all messages in turn, and not only the first ones.
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

  test('returns each message once, even if messages become visible again, and hides them for a minute', async () => {
    const { client, hiddenSeconds } = hasty(40, 3);
    const ids = await everything(deadLetterQueue(client, QUEUES));
    expect(ids.toSorted()).toEqual(Array.from({ length: 40 }, (_, n) => `${n}`).toSorted());
    expect([...hiddenSeconds]).toEqual([60]);
  });

  test('ends if it gets the same messages again and again, and is then incomplete', async () => {
    const queue = deadLetterQueue(hasty(40, 2, false).client, QUEUES);
    expect(await everything(queue)).toHaveLength(20);
    expect(queue.mayHaveMore()).toBe(true);
  });

  test('releases all messages, although the minute of some is over', async () => {
    const { client } = hasty(20, 4);
    const queue = deadLetterQueue(client, QUEUES);
    await everything(queue);
    await expect(queue.release()).resolves.toBeUndefined();
  });

  test('waits for the full time on this machine, although the clock of its queues is faster', async () => {
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

/** Creates a queue with one message. Like SQS, it confirms the deletion by an old receipt handle without deleting. */
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
    // With the clock of SQS: a message that is not released stays hidden for longer than a test.
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
  /** Runs the command as a process. */
  const start = (args: string[], env: Record<string, string> = {}) =>
    program('infra/operations/dead-letters.ts', [...args, '--stack', STACK], { ...environment(), ...env });
  const listed = async (): Promise<Record<string, unknown>[]> =>
    JSON.parse((await deadLetters('list', '--json')).stdout);

  test('list prints all messages, the oldest first, and releases them at once', async () => {
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

  test('list reports an empty queue', async () => {
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
    ['from other software', '\u00A0?', { message: '\u00A0?', reason: 'notUnderstood' }],
  ])('show decodes a message: %s', async (_what, text, content) => {
    await sqs.send('dead', text);
    const [{ id } = {}] = await listed();
    const json = JSON.parse((await deadLetters('show', String(id), '--json')).stdout);
    expect(json).toMatchObject({ id, ...content });
    const { code, stdout } = await deadLetters('show', String(id));
    expect(stdout).toContain(`id: ${id}\n`);
    expect(code).toBe(0);
    expect(sqs.messages('dead')).toEqual([text]);
  });

  test('control characters are not printed', async () => {
    const csi = '\u009B2J'; // like ESC [
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

  test('an official account that is not a string is shown as JSON', async () => {
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

  test('replay sends one message, and leaves the others', async () => {
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

  test('replay --all sends all messages except unreadable ones, which it names', async () => {
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

  test('replay --all does not send a message twice that returns in the meantime', async () => {
    await sqs.send('dead', message({ requestId: 'hopeless' }));
    // Like a redrive that fails at once.
    aws.variables['PARKING_QUEUE_URL'] = sqs.queueUrl('dead');
    const { code, stdout } = await deadLetters('replay', '--all');
    expect(stdout).toMatch(
      /^Replayed: .*\nLeft: {5}.*\n1 replayed in the stack \w+, 1 left that came back, or were there twice\.\n$/,
    );
    expect(code).toBe(1);
    expect(await listed()).toHaveLength(1);
  });

  test('a message that the parking queue does not accept stays', async () => {
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

  test('drop deletes a message after a confirmation', async () => {
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
  ])('drop follows the answer %s, given %s', async (answer, when, code, isThere) => {
    const queue = await startQueueOfOne(message());
    aws.variables['DEAD_LETTER_QUEUE_URL'] = `${queue.url}/000000000000/dead`;
    try {
      const { child, output, ended } = start(['drop', 'one'], {
        AWS_ENDPOINT_URL_SQS: queue.url,
        NODE_OPTIONS: '--import data:text/javascript,process.stdin.isTTY=true', // as in a terminal
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

  test('Ctrl-C stops a replay after the current message, and releases the others at once', async () => {
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

  test('SIGKILL loses no message', async () => {
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
      ['list', '--port', '3000'],
      2,
      "option '--port <port>' cannot be used with option '--stack <name>'\nSee --help.\n",
    ],
    [['purge'], 2, "unknown command 'purge'\nSee --help.\n"],
    [
      ['show', 'x'],
      1,
      `There is no dead letter x in the stack ${STACK}. If another command is reading it, try again in a minute.\n`,
    ],
  ])('invalid options and unknown messages are reported in one line: %j', async (args, code, stderr) => {
    expect(await deadLetters(...args)).toEqual({ code, stdout: '', stderr });
  });

  test('a message with an invalid time is shown as unreadable', async () => {
    await sqs.send('dead', message({ receivedTime: Number.MAX_SAFE_INTEGER }));
    expect(await listed()).toMatchObject([{ reason: 'notUnderstood' }]);
  });

  test('a deleted queue, a missing permission and expired credentials are reported in one line', async () => {
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

import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { awsJsonServer } from '../../../infra/local/aws/aws-json.ts';
import { listen } from '../../../infra/local/aws/loopback.ts';
import { startSqs, type Sqs } from '../../../infra/local/aws/sqs.ts';
import { deadLettersProgram } from '../../../infra/operations/dead-letters.ts';
import { recorded } from '../../delivery.ts';
import { inProcess } from '../../in-process.ts';
import { program } from '../../program.ts';
import { until } from '../../until.ts';
import { deadLetter } from './dead-letter.ts';
import { receiverVariables, STACK, startFakeAws, type FakeAws } from './fake-aws.ts';

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
  const { url, close } = await listen(server, 0);
  return {
    url,
    [Symbol.asyncDispose]: close,
    letAMinutePass: () => void (isHidden = false),
    isThere: () => isThere,
  };
}

const QUEUES = ['parked', 'dead'].map((name) => ({ name, visibilitySeconds: 180 }));
let [aws, sqs]: [FakeAws, Sqs] = [] as never;
beforeEach(async () => {
  // With the clock of SQS: a message that is not released stays hidden for longer than a test.
  [aws, sqs] = await Promise.all([startFakeAws(), startSqs(QUEUES, 1_000)]);
  aws.variables = {
    ...receiverVariables('accounts'),
    PARKING_QUEUE_URL: sqs.queueUrl('parked'),
    DEAD_LETTER_QUEUE_URL: sqs.queueUrl('dead'),
  };
});
afterEach(() => Promise.all([aws.close(), sqs.close()]));

const environment = () => ({ ...aws.environment, AWS_ENDPOINT_URL_SQS: sqs.url });
const deadLetters = (...args: string[]) => inProcess(deadLettersProgram, [...args, '--stack', STACK], environment());
/** Runs the command as a process. */
const start = (args: string[], env: Record<string, string> = {}) =>
  program('infra/operations/dead-letters.ts', [...args, '--stack', STACK], { ...environment(), ...env });
const listed = async (): Promise<Record<string, unknown>[]> => JSON.parse((await deadLetters('list', '--json')).stdout);
/** Puts a message into the dead-letter queue. @returns its ID. */
async function add(text: string): Promise<string> {
  await sqs.send('dead', text);
  return String((await listed()).at(-1)?.['id']);
}

test('list prints all messages, the oldest first, and releases them at once', async () => {
  const old = { reason: 'notStored', field: undefined, receivedTime: Date.now() - 3 * 86_400_000 };
  const invalid = { receivedTime: Number.MAX_SAFE_INTEGER };
  for (const text of [deadLetter(), deadLetter(old), 'not ours', deadLetter(invalid)]) await sqs.send('dead', text);
  const { code, stdout, stderr } = await deadLetters('list');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const id = expect.stringMatching(/^[\da-f-]{36}$/);
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const about = ['OfficialAccount.CallbackAfterCreateOfficialAccount', '@TOA#_test_OA_for_penn'];
  const rows = stdout.trimEnd().split('\n');
  expect(rows.map((row) => row.split(/ {2,}/))).toEqual([
    ['ID', 'RECEIVED', 'AGE', 'REASON', 'COMMAND', 'OFFICIAL ACCOUNT'],
    [id, '-', '-', 'notUnderstood', '-', '-'],
    [id, '-', '-', 'notUnderstood', '-', '-'],
    [id, time, '3 d', 'notStored', ...about],
    [id, time, '3 min', 'badPayload (Name)', ...about],
  ]);
  expect(new Set(rows.map((row) => row.search(/OFFICIAL|@TOA|-$/))).size).toBe(1);
  expect(await listed()).toMatchObject([
    { reason: 'notUnderstood' },
    { reason: 'notUnderstood' },
    { reason: 'notStored', ageSeconds: expect.any(Number) },
    { reason: 'badPayload', field: 'Name', requestId: 'JKJaXmPLvHcESHA=' },
  ]);
});

test('list reports an empty queue', async () => {
  const stdout = `There are no dead letters in the stack ${STACK}.\n`;
  expect(await deadLetters('list')).toEqual({ code: 0, stdout, stderr: '' });
  expect(await listed()).toEqual([]);
});

test.each<[string, string, Record<string, unknown>]>([
  ['JSON', deadLetter(), { body: recorded('created') }],
  ['text', deadLetter({}, '{"cut": "sh'), { body: '{"cut": "sh' }],
  ['neither', deadLetter({}, Buffer.from([0xff, 0])), { bodyBase64: '/wA=' }],
  ['from other software', '\u00A0?', { message: '\u00A0?', reason: 'notUnderstood' }],
])('show decodes a message: %s', async (_what, text, content) => {
  const id = await add(text);
  const json = JSON.parse((await deadLetters('show', id, '--json')).stdout);
  expect(json).toMatchObject({ id, ...content });
  const { code, stdout } = await deadLetters('show', id);
  expect(stdout).toContain(`id: ${id}\n`);
  expect(code).toBe(0);
  expect(sqs.messages('dead')).toEqual([text]);
});

test('control characters are not printed', async () => {
  const csi = '\u009B2J'; // like ESC [
  const body = JSON.stringify({ ...recorded('created'), Official_Account: '\u001B[2J', Name: csi });
  const query = { callbackCommand: csi };
  const shown = ['show', await add(deadLetter({ requestId: '\u001B[31m', query }, body))];
  expect(JSON.parse((await deadLetters(...shown, '--json')).stdout)).toMatchObject({ query, body: { Name: csi } });
  for (const args of [['list'], ['list', '--json'], shown, [...shown, '--json'], ['replay', '--all']]) {
    expect((await deadLetters(...args)).stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  }
});

test('an official account that is not a string is shown as JSON', async () => {
  const account = { toString: 1 };
  await sqs.send('dead', deadLetter({}, JSON.stringify({ ...recorded('created'), Official_Account: account })));
  expect(await listed()).toMatchObject([{ officialAccountId: '{"toString":1}' }]);
});

test('replay sends one message, and leaves the others', async () => {
  const ids = [];
  for (const requestId of ['0', '1', '2']) ids.push(await add(deadLetter({ requestId })));
  const { code, stdout } = await deadLetters('replay', ids[1]!);
  expect(stdout).toMatch(/^Replayed: [\da-f-]{36} {2}badPayload {2}OfficialAccount\.Callback\w+ {2}@TOA#_\w+\n$/);
  expect(code).toBe(0);
  const requests = (queue: string) => sqs.messages(queue).map((text) => JSON.parse(text).requestId);
  expect(requests('parked')).toEqual(['1']);
  expect(requests('dead')).toEqual(['0', '2']);
  expect(await listed()).toHaveLength(2);
});

test('replay --all sends all messages except unreadable ones, which it names', async () => {
  const all = Array.from({ length: 25 }, (_, n) => deadLetter({ requestId: `${n}` }));
  const id = await add(deadLetter({ version: 2 }));
  for (const text of all) await sqs.send('dead', text);
  const { code, stdout } = await deadLetters('replay', '--all');
  expect(stdout).toMatch(/^Left: .* notUnderstood .* This version of the software cannot read the message/m);
  expect(stdout).toContain(`25 replayed in the stack ${STACK}, 1 left.\n`);
  expect(code).toBe(1);
  expect(new Set(sqs.messages('parked'))).toEqual(new Set(all));
  expect(await listed()).toMatchObject([{ reason: 'notUnderstood' }]);
  const stderr = expect.stringContaining('cannot read the message');
  expect(await deadLetters('replay', id)).toMatchObject({ code: 1, stderr });
});

test('replay --all does not send a message twice that returns in the meantime', async () => {
  await sqs.send('dead', deadLetter({ requestId: 'hopeless' }));
  // Like a redrive that fails at once.
  aws.variables['PARKING_QUEUE_URL'] = sqs.queueUrl('dead');
  const { code, stdout } = await deadLetters('replay', '--all');
  expect(stdout).toMatch(
    /^Replayed: .*\nLeft: {5}.* It came back, or was there twice\.\n1 replayed in the stack \w+, 1 left\.\n$/,
  );
  expect(code).toBe(1);
  expect(await listed()).toHaveLength(1);
});

test('a message that the parking queue does not accept stays', async () => {
  await sqs.send('dead', deadLetter());
  aws.variables['PARKING_QUEUE_URL'] = `${sqs.url}/000000000000/gone`;
  const { code, stderr } = await deadLetters('replay', '--all');
  expect(stderr).toBe(
    "Can't send the message to the parking queue: the queue does not exist any more\n" +
      '0 replayed, the others are still in the queue\n',
  );
  expect(code).toBe(1);
  expect(await listed()).toHaveLength(1);
});

test('drop --yes deletes a message, and no other', async () => {
  const id = await add(deadLetter());
  await sqs.send('dead', deadLetter());
  const stdout = expect.stringContaining(`Deleted: ${id}`);
  expect(await deadLetters('drop', id, '--yes')).toMatchObject({ code: 0, stdout });
  expect(sqs.messages('dead')).toHaveLength(1);
  expect(sqs.messages('parked')).toEqual([]);
});

test('without a terminal, drop needs --yes', async () => {
  const id = await add(deadLetter());
  const stderr = 'cannot ask, because stdin is no terminal: add --yes\nSee --help.\n';
  expect(await deadLetters('drop', id)).toEqual({ code: 2, stdout: '', stderr });
  expect(await listed()).toHaveLength(1);
});

test.each([
  ['yes', 'after a minute', 0, false],
  ['yes', 'at once', 0, false],
  ['no', 'at once', 1, true],
])('drop follows the answer %s, given %s', async (answer, when, code, isThere) => {
  await using queue = await startQueueOfOne(deadLetter());
  aws.variables['DEAD_LETTER_QUEUE_URL'] = `${queue.url}/000000000000/dead`;
  const { child, output, ended } = start(['drop', 'one'], {
    AWS_ENDPOINT_URL_SQS: queue.url,
    NODE_OPTIONS: '--import data:text/javascript,process.stdin.isTTY=true', // as in a terminal
  });
  await until(() => output.stderr.includes('Write yes to go on'));
  if (when === 'after a minute') queue.letAMinutePass();
  child.stdin.end(`${answer}\n`);
  expect(await ended).toMatchObject({ code });
  expect(queue.isThere()).toBe(isThere);
  expect(output.stdout.startsWith('Deleted: one')).toBe(!isThere);
});

test('Ctrl-C stops a replay after the current message, and releases the others at once', async () => {
  const all = Array.from({ length: 300 }, (_, n) => deadLetter({ requestId: `${n}` }));
  for (const text of all) await sqs.send('dead', text);
  const { child, ended } = start(['replay', '--all']);
  await until(() => sqs.messages('parked').length > 3);
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  expect(stderr).toMatch(/^Interrupted: \d+ replayed, the others are still in the queue\n$/);
  expect(code).toBe(1);
  expect(new Set([...sqs.messages('dead'), ...sqs.messages('parked')])).toEqual(new Set(all));
  expect(await listed()).toHaveLength(sqs.messages('dead').length);
});

test.each([
  [['replay'], 'give either an ID or --all'],
  [['replay', 'x', '--all'], 'give either an ID or --all'],
  [['drop', 'x', '--all'], "unknown option '--all'"],
  [['purge'], "unknown command 'purge'"],
  [['list', '--inspector-port', '1'], "option '--inspector-port <port>' cannot be used with option '--stack <name>'"],
])('invalid options are reported in one line: %j', async (args, message) => {
  expect(await deadLetters(...args)).toEqual({ code: 2, stdout: '', stderr: `${message}\nSee --help.\n` });
});

test('an unknown message is reported in one line', async () => {
  const { code, stderr } = await deadLetters('show', 'x');
  expect(stderr).toMatch(/^There is no dead letter x in the stack \w+\. If another command is reading it, try again/);
  expect(code).toBe(1);
});

test('a deleted queue is reported in one line', async () => {
  aws.variables['DEAD_LETTER_QUEUE_URL'] = `${sqs.url}/000000000000/gone`;
  const { stderr } = await deadLetters('list');
  expect(stderr).toBe("Can't read the dead-letter queue: the queue does not exist any more\n");
});

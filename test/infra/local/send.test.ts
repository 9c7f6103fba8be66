import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { DOCUMENTED_SAMPLE, DOCUMENTED_SAMPLES } from '../../../infra/local/chat.ts';
import { listen, type Loopback } from '../../../infra/local/aws/loopback.ts';
import { sendProgram } from '../../../infra/local/send.ts';
import { CREATED, recorded, SAMPLES, signed } from '../../delivery.ts';
import { inProcess } from '../../in-process.ts';
import { command, program } from '../../program.ts';

interface Received {
  query: URLSearchParams;
  contentType: string | undefined;
  body: string;
}

let server: Loopback;
let received: Received[];
let reply: { status: number; body: string; headers?: Record<string, string>; afterMs?: number };
const directory = mkdtempSync(join(tmpdir(), 'send-test-'));
beforeAll(async () => {
  server = await listen(
    createServer(async (request, response) => {
      received.push({
        query: new URL(request.url ?? '', server.url).searchParams,
        contentType: request.headers['content-type'],
        body: await text(request),
      });
      if (reply.afterMs !== undefined) await sleep(reply.afterMs);
      response.writeHead(reply.status, reply.headers).end(reply.body);
    }),
    0,
  );
});
afterAll(() => server.close());
beforeEach(() => {
  received = [];
  reply = { status: 200, body: '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}' };
});

const sendAnywhere = (args: string[], env?: Record<string, string>) => inProcess(sendProgram, args, env);
const send = (args: string[], env?: Record<string, string>) => sendAnywhere(['--url', server.url, ...args], env);
/** Sends deliveries, and returns the last one. */
async function posted(args: string[], env?: Record<string, string>): Promise<Received> {
  await send(args, env);
  return received.at(-1)!;
}

test('the samples are those of Tencent’s pages', () => {
  expect(DOCUMENTED_SAMPLE).toEqual(recorded('created'));
  for (const sample of DOCUMENTED_SAMPLES) expect(sample).toEqual(SAMPLES.get(sample.CallbackCommand));
});

const CHANGED = 'OfficialAccount.CallbackAfterOfficialAccountInfoChanged';
const DESTROYED = 'OfficialAccount.CallbackAfterOfficialAccountDestroyed';

test('each command has the fields of its own sample', async () => {
  for (const sample of DOCUMENTED_SAMPLES) {
    const { query, body } = await posted(['--command', sample.CallbackCommand, '--event-time', '7']);
    expect(JSON.parse(body)).toEqual({ ...sample, EventTime: 7 });
    expect(query.get('CallbackCommand')).toBe(sample.CallbackCommand);
  }
});

test('a change of the profile has only the given fields', async () => {
  const { body } = await posted(['--command', CHANGED, '--introduction', '简介', '--event-time', '7']);
  expect(JSON.parse(body)).toEqual({
    CallbackCommand: CHANGED,
    Official_Account: '@TOA#_test_OA_for_penn',
    Operator_Account: 'leckie',
    Introduction: '简介',
    EventTime: 7,
  });
});

test('without options the documented sample is posted, signed, without a content type', async () => {
  const { code, stdout } = await send([]);
  expect(stdout).toMatch(/^HTTP 200 {2}\{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0\} {2}\d+ ms\n$/);
  expect(code).toBe(0);
  const [{ query, contentType, body } = {} as Received] = received;
  expect(JSON.parse(body)).toEqual(recorded('created'));
  expect(contentType).toBeUndefined();
  const time = query.get('RequestTime') ?? '';
  expect(Math.abs(Date.now() / 1000 - Number(time))).toBeLessThan(30);
  expect(Object.fromEntries(query)).toEqual({
    SdkAppid: '1400000000',
    CallbackCommand: CREATED,
    contenttype: 'json',
    ClientIP: '203.0.113.7',
    OptPlatform: 'RESTAPI',
    ...signed(time),
  });
});

test('every field has an option', async () => {
  const fields = {
    'sdk-app-id': '5',
    token: '令牌',
    'request-time': '1669872112',
    'client-ip': '::1',
    'opt-platform': 'Web',
    command: 'C2C.X',
    'official-account': '@TOA#_a b',
    'operator-account': 'o',
    'owner-account': 'w',
    name: '新闻',
    'event-time': '7',
  };
  const { query, body } = await posted(Object.entries(fields).flatMap(([option, value]) => [`--${option}`, value]));
  expect(Object.fromEntries(query)).toEqual({
    SdkAppid: '5',
    CallbackCommand: 'C2C.X',
    contenttype: 'json',
    ClientIP: '::1',
    OptPlatform: 'Web',
    ...signed('1669872112', '令牌'),
  });
  expect(JSON.parse(body)).toEqual({
    CallbackCommand: 'C2C.X',
    Official_Account: '@TOA#_a b',
    Operator_Account: 'o',
    Owner_Account: 'w',
    Name: '新闻',
    EventTime: 7,
  });
});

test('the token may come from the environment; the option takes precedence', async () => {
  const env = { CHAT_WEBHOOK_TOKEN: 'from-env' };
  const fromEnvironment = await posted(['--request-time', '1'], env);
  expect(fromEnvironment.query.get('Sign')).toBe(signed('1', 'from-env').Sign);
  const given = await posted(['--request-time', '1', '--token', 'given'], env);
  expect(given.query.get('Sign')).toBe(signed('1', 'given').Sign);
});

test('a reply that repeats the URL is printed without its Sign', async () => {
  const { Sign } = signed('5');
  reply = { status: 403, body: `<a href="/?Sign=${Sign}&amp;RequestTime=5">` };
  const { stdout } = await send(['--request-time', '5']);
  expect(stdout).toMatch(/^HTTP 403 {2}<a href="\/\?Sign=…&amp;/);
});

test('--unsigned omits Sign and RequestTime', async () => {
  const { query } = await posted(['--unsigned']);
  expect([...query.keys()]).toEqual(['SdkAppid', 'CallbackCommand', 'contenttype', 'ClientIP', 'OptPlatform']);
});

test('an event with own fields has the current time, so that it is newer than the last one', async () => {
  const before = Date.now();
  const { body } = await posted(['--name', '新']);
  expect(JSON.parse(body).EventTime).toBeGreaterThanOrEqual(before);
});

test.each([
  ['{"cut": "sh', CREATED],
  ['{"CallbackCommand":"OfficialAccount.CallbackAfterOfficialAccountDestroyed"}', DESTROYED],
])('--file is posted unchanged, and its command is also in the URL: %s', async (content, command) => {
  writeFileSync(join(directory, 'body'), content);
  // npm's variable for the user's working directory.
  const { query, body } = await posted(['--file', 'body'], { INIT_CWD: directory });
  expect(body).toBe(content);
  expect(query.get('CallbackCommand')).toBe(command);
});

test('--count sends this number of accounts, and prints a summary', async () => {
  const { code, stdout } = await send(['--count', '30', '--concurrency', '7', '--name', '第{n}号']);
  expect(code).toBe(0);
  // A busy machine may add a line about late replies.
  expect(stdout).toMatch(
    /^30 of 30 sent, \d+\/s, 0 not OK\nMilliseconds to the reply: p50 \d+, p99 \d+, slowest \d+\n/,
  );
  const bodies = received
    .map(({ body }) => JSON.parse(body))
    .toSorted((a, b) => a.Official_Account.localeCompare(b.Official_Account, 'en', { numeric: true }));
  expect(bodies.map(({ Official_Account }) => Official_Account)).toEqual(
    Array.from({ length: 30 }, (_, n) => `@TOA#_test_OA_for_penn_${n + 1}`),
  );
  expect(bodies[29].Name).toBe('第30号');
});

describe('the exit code is 1', () => {
  test.each([
    ['a FAIL', 200, '{"ActionStatus":"FAIL","ErrorInfo":"no","ErrorCode":120001}'],
    ['another status', 503, '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'],
    ['a reply that is not JSON', 200, 'OK'],
    ['an OK without ErrorInfo', 200, '{"ActionStatus":"OK","ErrorCode":0}'],
    ['an error code of another type', 200, '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":"0"}'],
    ['another 2xx status', 204, ''],
  ])('for %s', async (_what, status, body) => {
    reply = { status, body };
    const one = await send([]);
    expect(one.code).toBe(1);
    expect(one.stdout).toContain(`HTTP ${status}  ${body}`);
    const many = await send(['--count', '3']);
    expect(many.code).toBe(1);
    expect(many.stdout).toContain(`3 × HTTP ${status}  ${body}`);
  });

  test('for a URL with a slash at its end, which is named as a cause', async () => {
    reply = { status: 404, body: '{"message":"Not Found"}' };
    const { code, stdout } = await send(['--url', `${server.url}/webhook/`]);
    expect(stdout).toContain("The URL's path must be exactly that of WebhookUrl, without a slash at its end.");
    expect(code).toBe(1);
  });

  test('for a redirect, which is printed and not followed', async () => {
    reply = { status: 302, body: 'moved', headers: { location: `${server.url}/other` } };
    const { code, stdout } = await send([]);
    expect(stdout).toMatch(/^HTTP 302 {2}moved {2}\d+ ms\n$/);
    expect(code).toBe(1);
    expect(received).toHaveLength(1);
  });

  test('if the receiver changes the protocol', async () => {
    const upgrading = createServer();
    upgrading.on('connection', (socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')),
    );
    const { url, close } = await listen(upgrading, 0);
    expect(await sendAnywhere(['--url', url])).toEqual({
      code: 1,
      stdout: `no reply from ${url}: the connection was closed\n`,
      stderr: '',
    });
    await close();
  });

  test('without a reply, and the signed URL is not printed', async () => {
    const gone = await listen(createServer(), 0);
    await gone.close();
    const { code, stdout, stderr } = await sendAnywhere(['--url', gone.url]);
    expect(code).toBe(1);
    expect(stdout).toContain(`no reply from ${gone.url}: `);
    expect(stdout + stderr).not.toContain('Sign');
  });
});

test.each([
  [['--url', 'x'], '--url is not a URL'],
  [['--url', 'https://user:pw/@127.0.0.1/webhook'], '--url is not a URL'],
  [['--url', 'https://example.com/webhook'], '--sdk-app-id is missing; only a receiver on this machine has a default'],
  [
    ['--url', 'https://example.com/webhook', '--sdk-app-id', '1'],
    '--token or $CHAT_WEBHOOK_TOKEN is missing; only a receiver on this machine has a default',
  ],
  [['--url', 'localhost:3000/webhook'], '--url must begin with http:// or https://'],
  [['--url', 'user:pw@127.0.0.1/webhook'], '--url must begin with http:// or https://'],
  [['--url', 'http://user:pw@127.0.0.1/webhook'], '--url must not contain a user name or a password'],
  [['--count', '0'], "option '--count <n>' argument '0' is invalid. It must be a whole number from 1 to 10000000."],
  [['--unsigned', '--token', 'x'], "option '--unsigned' cannot be used with option '--token <token>'"],
  [['--unsigned', '--request-time', '5'], "option '--unsigned' cannot be used with option '--request-time <seconds>'"],
  [['--file', '/nowhere'], "--file can't be read: ENOENT"],
  [['--file', 'x', '--name', 'x'], "option '--file <file>' cannot be used with option '--name <text>'"],
  [['--command', CHANGED, '--owner-account', 'x'], `${CHANGED} has no Owner_Account: leave out --owner-account`],
  [['--introduction', 'x'], 'CallbackAfterCreateOfficialAccount has no Introduction: leave out --introduction'],
])('invalid options have the exit code 2: %j', async (args, message) => {
  const { code, stderr } = await sendAnywhere(args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/^ +at /m);
  expect(stderr).not.toMatch(/pw|Sign=/);
});

test('a reply is printed in one line, cut, and without control characters', async () => {
  reply = { status: 200, body: `\u001b[2J\u0007\r\n\u009b\u202e\u2028新"\\${'x'.repeat(5_000_000)}` };
  const shown = `\\u001b[2J\\u0007\\r\\n\\u{9b}\\u{202e}\\u{2028}新"\\${'x'.repeat(487)}`;
  const one = await send([]);
  expect(one.stdout).toMatch(/ {2}\d+ ms\n$/);
  expect(one.stdout.slice(0, one.stdout.lastIndexOf('  '))).toBe(`HTTP 200  ${shown} … (65529 characters)`);
  const many = await send(['--count', '2']);
  expect(many.stdout).toContain(`2 × HTTP 200  ${shown} … (65529 characters)\n`);
});

test('replies after Chat’s timeout are counted', async () => {
  reply = { ...reply, afterMs: 2_050 };
  const { stdout } = await send(['--count', '3', '--concurrency', '3']);
  expect(stdout).toContain(
    '3 came after 2000 ms: Chat would have given up. With npm start, they may have waited for a free instance.\n',
  );
});

test('a receiver on this machine is reached without a proxy', async () => {
  const proxy = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:1', http_proxy: 'http://127.0.0.1:1' };
  const env = { ...proxy, NO_PROXY: '', no_proxy: '' };
  const { ended } = program('infra/local/send.ts', ['--url', server.url], env); // Node reads the variables at its start
  expect(await ended).toMatchObject({ code: 0 });
});

test('it ends without a message if its output is closed', async () => {
  const url = ['--url', server.url, '--count', '3'].join(' ');
  const { stderr } = await command(
    'sh',
    ['-c', `{ "$NODE" infra/local/send.ts ${url}; echo "exit code $?" >&2; } | true`],
    { NODE: process.execPath },
  ).ended;
  expect(stderr).toBe('exit code 1\n'); // all replies were OK
});

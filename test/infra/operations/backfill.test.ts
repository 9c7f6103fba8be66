import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { backfillProgram } from '../../../infra/operations/backfill.ts';
import { chatRestApi } from '../../../infra/operations/chat-rest-api.ts';
import type { AccountEvent } from '../../../lambda/official-account.ts';
import { startAccountsTable, TABLE, type AccountsTable } from '../../accounts-table.ts';
import { chatAccount, KEY, startChatRestServer, type ChatRestServer } from '../../chat-rest-server.ts';
import { SDK_APP_ID } from '../../delivery.ts';
import { inProcess } from '../../in-process.ts';
import { program } from '../../program.ts';
import { receiverVariables, STACK, startFakeAws, type FakeAws } from './fake-aws.ts';

const CREATE_TIME = 1670574414;
const ids = (count: number) => Array.from({ length: count }, (_, n) => `@TOA#_${n}`);
const failReply = (code: number) => ({
  status: 200,
  body: JSON.stringify({ ActionStatus: 'FAIL', ErrorInfo: 'no', ErrorCode: code }),
});

const directory = mkdtempSync(join(tmpdir(), 'backfill-'));
const file = join(directory, 'ids.txt');
let [chat, aws, table]: [ChatRestServer, FakeAws, AccountsTable] = [] as never;
beforeAll(async () => {
  [chat, aws, table] = await Promise.all([startChatRestServer(), startFakeAws(), startAccountsTable()]);
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await Promise.all([chat, aws, table].map((each) => each.close()));
});
beforeEach(() => {
  chat.accounts.clear();
  chat.calls.splice(0);
  chat.fault = () => undefined;
  aws.variables = receiverVariables(TABLE);
});

function prepare(lines: readonly string[], args: readonly string[] = [], env: Record<string, string> = {}) {
  writeFileSync(file, lines.join('\n'));
  return [
    ['--ids', file, '--stack', STACK, '--chat-url', chat.url, ...args],
    { ...aws.environment, AWS_ENDPOINT_URL_DYNAMODB: table.url, CHAT_APP_KEY: KEY, ...env },
  ] as const;
}
const run = (...options: Parameters<typeof prepare>) => inProcess(backfillProgram, ...prepare(...options));

/** Stores an event of the receiver. */
const receive = (
  officialAccountId: string,
  eventTime: number,
  rest: Pick<AccountEvent, 'attributes' | 'timestampAttribute'>,
) =>
  table.accounts.apply({
    sdkAppId: SDK_APP_ID,
    officialAccountId,
    eventTime,
    receivedTime: eventTime,
    clientIp: undefined,
    optPlatform: undefined,
    ...rest,
  });
const CREATED = { timestampAttribute: 'createdTime', attributes: { name: 'real' } };

test('stores missing accounts, prints the result of each, and never prints a secret', async () => {
  const names = ['@TOA#_new', '@TOA#_ known ', '@TOA#_changed'];
  for (const id of names) chat.accounts.set(id, chatAccount({ FaceUrl: 'http://this.is.face.url' }));
  await receive('@TOA#_ known ', CREATE_TIME * 1000 + 7, CREATED);
  await receive('@TOA#_changed', CREATE_TIME * 1000 + 9_000, { attributes: { name: '新' } });
  chat.accounts.set('@TOA#_ill', { ErrorCode: 10002, ErrorInfo: `\u001B[31m${KEY}` });
  chat.accounts.set('@TOA#_odd', chatAccount({ CreateTime: 'yesterday' }));
  chat.fault = (call) => (chat.calls[call - 1]?.ids.includes('@TOA#_spoils') ? failReply(130007) : undefined);

  const others = ['@TOA#_gone', '@TOA#_ill', '@TOA#_odd', '@TOA#_spoils', '', '@TOA#_new'];
  expect(await run([...names, ...others])).toEqual({
    code: 1,
    stdout:
      'unknown  @TOA#_gone\n' +
      'failed   @TOA#_ill: Chat answers ErrorCode 10002,  [31m…\n' +
      "failed   @TOA#_odd: Chat's answer has no valid CreateTime\n" +
      'failed   @TOA#_spoils: Chat answers ErrorCode 130007, no\n' +
      '7 asked for: 3 found (2 stored, 1 already in the table), 1 unknown to Chat, 3 failed\n',
    stderr: '',
  });
  expect(await table.record('@TOA#_new')).toMatchObject({
    name: 'TestOfficialAccount',
    faceUrl: 'http://this.is.face.url',
    ownerAccount: '107867',
    createdTime: CREATE_TIME * 1000,
  });
  expect(await table.record('@TOA#_ known ')).toMatchObject({ name: 'real', createdTime: CREATE_TIME * 1000 + 7 });
  expect(await table.record('@TOA#_changed')).toMatchObject({
    name: '新',
    faceUrl: 'http://this.is.face.url',
    createdTime: CREATE_TIME * 1000,
    eventTime: CREATE_TIME * 1000 + 9_000,
  });

  await receive('@TOA#_new', CREATE_TIME * 1000 + 500, CREATED);
  const again = await run(names, ['--json']);
  expect(JSON.parse(again.stdout)).toEqual({ stored: [], known: names, unknown: [], failed: [], notAsked: [] });
  expect(again.code).toBe(0);
  expect(await table.record('@TOA#_new')).toMatchObject({ name: 'real', createdTime: CREATE_TIME * 1000 + 500 });
});

test('calls that fail for the moment are repeated', async () => {
  chat.accounts.set('@TOA#_a', chatAccount());
  const faults = [failReply(60007), { status: 502, body: 'Bad Gateway' }, { status: 200, body: '<html>' }];
  chat.fault = (call) => faults[call - 1];
  expect((await run(['@TOA#_a'])).stdout).toMatch(/^1 asked for: 1 found/);
  expect(chat.calls).toHaveLength(4);
});

test('accounts that an answer does not name are requested one by one', async () => {
  for (const id of ids(3)) chat.accounts.set(id, chatAccount({ Name: id, Official_Account: undefined }));
  expect((await run(ids(3))).stdout).toMatch(/^3 asked for: 3 found/);
  for (const id of ids(3)) expect(await table.record(id)).toMatchObject({ name: id });
});

test('the calls stay below Chat’s limit of 200 per second', async () => {
  const api = chatRestApi({ sdkAppId: SDK_APP_ID, key: KEY, administrator: 'administrator', url: chat.url });
  const start = performance.now();
  await Promise.all(ids(11).map((id) => api.officialAccounts([id])));
  expect(performance.now() - start).toBeGreaterThan(190);
});

test('Ctrl-C stops after the running calls, and the same command continues', async () => {
  const all = ids(150).map((id) => `${id} interrupted`);
  for (const id of all) chat.accounts.set(id, chatAccount());
  const interrupted = program('infra/operations/backfill.ts', ...prepare(all));
  chat.fault = (call) => void (call === 2 && interrupted.child.kill('SIGINT'));
  const { code, stdout, stderr } = await interrupted.ended;
  expect(stdout).toMatch(/^150 asked for: 100 found \(100 stored/);
  expect(stderr).toBe('Interrupted\n50 left: run the same command again.\n');
  expect(code).toBe(1);
  expect(chat.calls.map((call) => call.ids.length)).toEqual([50, 50]);
  chat.fault = () => undefined;
  expect((await run(all)).stdout).toMatch(/^150 asked for: 150 found \(50 stored, 100 already in the table\)/);
});

test.each<[string, string[], Record<string, string>, number, string]>([
  ['no key, without a terminal,', [], { CHAT_APP_KEY: '' }, 2, "the app's key is missing: set $CHAT_APP_KEY"],
  [
    'a wrong key',
    [],
    { CHAT_APP_KEY: 'f00' },
    1,
    'ErrorCode 70009, UserSig verification failed, …. First: check the SDK',
  ],
  ['a user who is not an administrator', ['--administrator', 'me'], {}, 1, 'give one with --administrator'],
  ['both a region and a URL', ['--chat-region', 'china'], {}, 2, "cannot be used with option '--chat-url <url>'"],
  ['a URL without TLS', ['--chat-url', `http://u:${KEY}@example.com`], {}, 2, 'must begin with https://'],
  ['a URL with a password', ['--chat-url', `https://u:${KEY}@example.com`], {}, 2, 'leave out the password'],
  ['a URL with a path', ['--chat-url', 'https://example.com/proxy'], {}, 2, 'leave out the password, the path'],
  ['no file', ['--ids', '/nowhere'], {}, 2, "--ids can't be read: ENOENT"],
  ['an unknown region of Chat', ['--chat-region', 'mars'], {}, 2, 'Allowed choices are china, singapore'],
])('%s is reported in one line', async (_what, args, env, expectedCode, message) => {
  const { code, stderr, stdout } = await run(['@TOA#_a'], args, env);
  expect(stderr).toContain(message);
  expect(code).toBe(expectedCode);
  const signatures = chat.calls.map(({ query }) => query.get('usersig') ?? '');
  for (const secret of [KEY, ...signatures]) expect(stdout + stderr).not.toContain(secret);
});

test('a deleted table ends the command', async () => {
  aws.variables['TABLE_NAME'] = 'nowhere';
  chat.accounts.set('@TOA#_a', chatAccount());
  const { code, stderr } = await run(['@TOA#_a']);
  expect(stderr).toBe("Can't write to the table: it does not exist any more\n1 left: run the same command again.\n");
  expect(code).toBe(1);
});

test.each([
  [['--stack', STACK], "required option '--ids <file>' not specified"],
  [['--stack', STACK, '--ids', import.meta.filename], 'give either --chat-region or --chat-url'],
])('a missing option is reported: %j', async (args, message) => {
  const stderr = `${message}\nSee --help.\n`;
  expect(await inProcess(backfillProgram, args, aws.environment)).toEqual({ code: 2, stdout: '', stderr });
});

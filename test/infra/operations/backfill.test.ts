import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { listen } from '../../../infra/local/aws/loopback.ts';
import { backfill, backfillProgram } from '../../../infra/operations/backfill.ts';
import { chatRestApi } from '../../../infra/operations/chat-rest-api.ts';
import { askHidden } from '../../../infra/cli/terminal.ts';
import { mergeEvent, type AccountEvent, type AccountRecord } from '../../../lambda/official-account.ts';
import type { OfficialAccounts } from '../../../lambda/official-accounts-table.ts';
import { startAccountsTable, TABLE, type AccountsTable } from '../../accounts-table.ts';
import { chatAccount, KEY, startChatRestServer, type ChatRestServer } from '../../chat-rest-server.ts';
import { SDK_APP_ID } from '../../delivery.ts';
import { inProcess } from '../../in-process.ts';
import { program } from '../../program.ts';
import { AWS_ERRORS, receiverVariables, STACK, startFakeAws, type FakeAws } from './fake-aws.ts';

let chat: ChatRestServer;
beforeAll(async () => {
  chat = await startChatRestServer();
});
afterAll(() => chat.close());
beforeEach(() => {
  chat.accounts.clear();
  chat.calls.splice(0);
  chat.fault = () => undefined;
});

const CREATE_TIME = 1670574414;
const app = () => ({ sdkAppId: SDK_APP_ID, key: KEY, administrator: 'administrator', url: chat.url });
const ids = (count: number) => Array.from({ length: count }, (_, n) => `@TOA#_${n}`);
const refusal = (code: number) => ({
  status: 200,
  body: JSON.stringify({ ActionStatus: 'FAIL', ErrorInfo: 'no', ErrorCode: code }),
});

function event(officialAccountId: string, eventTime: number, rest: Partial<AccountEvent> = {}): AccountEvent {
  return {
    sdkAppId: SDK_APP_ID,
    officialAccountId,
    eventTime,
    receivedTime: eventTime,
    clientIp: undefined,
    optPlatform: undefined,
    attributes: {},
    ...rest,
  };
}

/** A table in memory, with the rules of the real one. */
function accountsInMemory() {
  const records = new Map<string, AccountRecord>();
  const accounts: OfficialAccounts = {
    async apply(applied) {
      const { officialAccountId: id, sdkAppId } = applied;
      const changes = mergeEvent(applied, records.get(id) ?? {});
      if (Object.keys(changes).length === 0) return 'stale';
      records.set(id, { ...records.get(id), sdkAppId, officialAccountId: id, ...changes });
      return 'stored';
    },
  };
  return { records, accounts };
}

test('10,000 IDs with errors, throttling and an interruption end as one call without them', async () => {
  const all = ids(10_000);
  const isUnknown = (n: number) => n % 40 === 0;
  for (const [n, id] of all.entries()) {
    if (!isUnknown(n)) chat.accounts.set(id, chatAccount({ Name: `第${n}号`, Introduction: n % 2 ? '简介' : '' }));
  }
  const malformed = '@TOA#_77';
  chat.accounts.set(malformed, chatAccount({ CreateTime: 'yesterday' }));
  const disliked = '@TOA#_5555';
  chat.fault = (call) => {
    if (chat.calls.at(-1)?.ids.includes(disliked)) return refusal(130007);
    if (call % 7 === 0) return refusal(60007);
    if (call % 11 === 0) return { status: 502, body: 'Bad Gateway' };
    return call % 13 === 0 ? { status: 200, body: '<html>' } : undefined;
  };
  const { records, accounts } = accountsInMemory();
  const newer = '@TOA#_11';
  await accounts.apply(
    event(newer, CREATE_TIME * 1000 + 123, { timestampAttribute: 'createdTime', attributes: { name: 'real' } }),
  );

  const over = new AbortController();
  const run = () =>
    backfill({
      ids: all,
      sdkAppId: SDK_APP_ID,
      chat: chatRestApi(app(), { callMs: 6, retryPausesMs: [1, 1, 1, 1] }),
      accounts,
      signal: over.signal,
      onProgress: (done) => done >= 4_000 && over.abort(),
    });
  const first = await run();
  expect(first).toMatchObject({ endedBy: 'Interrupted' });
  expect(first.outcomes.size).toBe(4_000);
  const second = await backfill({
    ids: all,
    sdkAppId: SDK_APP_ID,
    chat: chatRestApi(app(), { callMs: 6, retryPausesMs: [1, 1, 1, 1] }),
    accounts,
    signal: new AbortController().signal,
    onProgress: () => {},
  });

  const of = (wanted: string) => all.filter((id) => second.outcomes.get(id) === wanted).length;
  expect({ unknown: of('unknown'), known: of('known'), stored: of('stored') }).toEqual({
    unknown: 250,
    known: 4_000 - 100 - 1, // of the first run, with the real one; one is malformed
    stored: 6_000 - 150 - 1, // one is disliked
  });
  expect(second.outcomes.get(malformed)).toEqual({ failed: 'the answer has no valid CreateTime' });
  expect(second.outcomes.get(disliked)).toEqual({ failed: 'ErrorCode 130007, no' });
  expect(records.size).toBe(10_000 - 250 - 2);
  expect(records.get(newer)).toMatchObject({ name: 'real', createdTime: CREATE_TIME * 1000 + 123 });
  expect(records.get('@TOA#_9999')).toMatchObject({
    name: '第9999号',
    introduction: '简介',
    ownerAccount: '107867',
    createdTime: CREATE_TIME * 1000,
    eventTime: CREATE_TIME * 1000,
  });
  expect(chat.calls.every((call) => call.ids.length <= 50)).toBe(true);
});

test('calls keep well below the 200 a second that Chat takes', async () => {
  const start = performance.now();
  const api = chatRestApi(app());
  await Promise.all(ids(11).map((id) => api.officialAccounts([id])));
  expect(performance.now() - start).toBeGreaterThan(190);
});

test('accounts that an answer does not name are asked for one by one', async () => {
  const unnamed = (name: string) => ({ ...chatAccount({ Name: name }), Official_Account: undefined });
  for (const id of ids(3)) chat.accounts.set(id, unnamed(id));
  const answers = await chatRestApi(app(), { callMs: 0, retryPausesMs: [] }).officialAccounts(ids(3));
  expect(ids(3).map((id) => answers.get(id))).toMatchObject(ids(3).map((name) => ({ account: { name } })));
});

test('a secret that is asked for is not shown', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const asked = askHidden('key: ', input, output);
  input.write(`${KEY}\r`);
  expect(await asked).toBe(KEY);
  output.end();
  expect(await text(output)).toBe('key: \n');
});

describe('the command', () => {
  let aws: FakeAws;
  let table: AccountsTable;
  let directory: string;
  let file: string;
  beforeAll(async () => {
    [aws, table] = await Promise.all([startFakeAws(), startAccountsTable()]);
    directory = mkdtempSync(join(tmpdir(), 'backfill-'));
    file = join(directory, 'ids.txt');
  });
  afterAll(async () => {
    rmSync(directory, { recursive: true });
    await Promise.all([aws.close(), table.close()]);
  });
  beforeEach(() => {
    aws.errors = {};
    aws.variables = { ...receiverVariables(TABLE), AUTHENTICATION: 'off' };
  });

  function prepare(lines: readonly string[], args: readonly string[], env: Record<string, string>) {
    writeFileSync(file, lines.join('\n'));
    return [
      ['--ids', file, '--stack', STACK, '--chat-url', chat.url, ...args],
      { ...aws.environment, AWS_ENDPOINT_URL_DYNAMODB: table.url, CHAT_APP_KEY: KEY, ...env },
    ] as const;
  }
  const run = (lines: readonly string[], args: readonly string[] = [], env: Record<string, string> = {}) =>
    inProcess(backfillProgram, ...prepare(lines, args, env));
  /** In a process of its own, as a user does. */
  const start = (lines: readonly string[], args: readonly string[] = [], env: Record<string, string> = {}) =>
    program('infra/operations/backfill.ts', ...prepare(lines, args, env));
  const signatures = () => chat.calls.map(({ query }) => query.get('usersig') ?? '');

  test('stores what the table lacks, says what became of each, and never shows a secret', async () => {
    const names = ['@TOA#_new', '@TOA#_ known ', '@TOA#_changed'];
    for (const id of names) chat.accounts.set(id, chatAccount({ FaceUrl: 'http://this.is.face.url' }));
    await table.accounts.apply(
      event('@TOA#_ known ', CREATE_TIME * 1000 + 7, {
        timestampAttribute: 'createdTime',
        attributes: { name: 'real' },
      }),
    );
    await table.accounts.apply(event('@TOA#_changed', CREATE_TIME * 1000 + 9_000, { attributes: { name: '新' } }));
    chat.accounts.set('@TOA#_ill', { ErrorCode: 10002, ErrorInfo: `\u001B[31m${KEY}` });

    const { code, stdout, stderr } = await start([...names, '@TOA#_gone', '@TOA#_ill', '', '@TOA#_new']).ended;
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout:
        'unknown  @TOA#_gone\n' +
        `failed   @TOA#_ill: ErrorCode 10002,  [31m…\n` +
        '5 asked for: 3 found (2 stored, 1 already in the table), 1 unknown to Chat, 1 failed\n',
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

    const real = event('@TOA#_new', CREATE_TIME * 1000 + 500, {
      timestampAttribute: 'createdTime',
      attributes: { name: 'real' },
    });
    await table.accounts.apply(real);
    const again = await run(names, ['--json']);
    expect(JSON.parse(again.stdout)).toEqual({ stored: [], known: names, unknown: [], failed: [], notAsked: [] });
    expect(again.code).toBe(0);
    expect(await table.record('@TOA#_new')).toMatchObject({ name: 'real', createdTime: CREATE_TIME * 1000 + 500 });
  });

  test('without a terminal, the key must be in the environment', async () => {
    const { code, stderr } = await start(['@TOA#_a'], [], { CHAT_APP_KEY: '' }).ended;
    expect(stderr).toBe("the app's key is missing: set $CHAT_APP_KEY\nSee --help.\n");
    expect(code).toBe(2);
  });

  test('a call needs either a region of Chat or a URL', async () => {
    const args = ['--ids', import.meta.filename, '--stack', STACK];
    const { code, stderr } = await inProcess(backfillProgram, args, { ...aws.environment, CHAT_APP_KEY: KEY });
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'give either --chat-region or --chat-url\nSee --help.\n' });
  });

  test('Ctrl-C ends it after the accounts that are on their way, and the same command goes on', async () => {
    const all = ids(150);
    for (const id of all) chat.accounts.set(id, chatAccount());
    const interrupted = start(all);
    chat.fault = (call) => void (call === 2 && interrupted.child.kill('SIGINT'));
    const { code, stdout, stderr } = await interrupted.ended;
    expect(stdout).toMatch(/^150 asked for: 100 found \(100 stored/);
    expect(stderr).toBe('Interrupted\n50 left: run the same command again.\n');
    expect(code).toBe(1);
    chat.fault = () => undefined;
    expect((await run(all)).stdout).toMatch(/^150 asked for: 150 found \(50 stored, 100 already in the table\)/);
  });

  test.each<[string, () => [args?: string[], env?: Record<string, string>], number, string]>([
    ['a wrong key', () => [[], { CHAT_APP_KEY: 'f00' }], 1, 'ErrorCode 70009, UserSig verification failed, …. First:'],
    ['no administrator', () => [['--administrator', 'me']], 1, 'give one with --administrator'],
    [
      'both a region and a URL',
      () => [['--chat-region', 'china']],
      2,
      "option '--chat-region <region>' cannot be used with option '--chat-url <url>'",
    ],
    ['a URL without TLS', () => [['--chat-url', 'http://example.com']], 2, 'must begin with https://'],
    ['a URL with a password', () => [['--chat-url', `https://u:${KEY}@example.com`]], 2, 'leave out the password'],
    ['a URL without TLS, but a password', () => [['--chat-url', `http://u:${KEY}@a.example`]], 2, 'with https://'],
    ['a URL with a path', () => [['--chat-url', 'https://example.com/proxy']], 2, 'leave out the password, the path'],
    ['both a stack and this machine', () => [['--local']], 2, "'--local' cannot be used with option '--stack <name>'"],
    ['a stack that is not there', () => [['--stack', 'Nowhere']], 1, 'There is no stack Nowhere in eu-central-1'],
    ['an older stack', () => (delete aws.outputs['ReceiverName'], []), 1, 'has no output ReceiverName'],
    [
      'no right to find the stack',
      () => ((aws.errors = { DescribeStacks: AWS_ERRORS.denied('cloudformation:DescribeStacks') }), []),
      1,
      `Can't find the stack ${STACK}: your credentials lack the right cloudformation:DescribeStacks`,
    ],
    [
      'no right to read the function',
      () => ((aws.errors = { GetFunctionConfiguration: AWS_ERRORS.denied('lambda:GetFunctionConfiguration') }), []),
      1,
      'your credentials lack the right lambda:GetFunctionConfiguration',
    ],
    [
      'credentials that have expired',
      () => ((aws.errors = { DescribeStacks: AWS_ERRORS.expired }), []),
      1,
      'your AWS credentials have expired: log in again',
    ],
    [
      'credentials that AWS does not know',
      () => ((aws.errors = { DescribeStacks: AWS_ERRORS.unknownKey }), []),
      1,
      'AWS does not know your credentials',
    ],
    [
      'no credentials',
      () => [[], { AWS_ACCESS_KEY_ID: '', AWS_SHARED_CREDENTIALS_FILE: '/nowhere', AWS_EC2_METADATA_DISABLED: 'true' }],
      1,
      'there are no AWS credentials',
    ],
    [
      'no region',
      () => [[], { AWS_REGION: '', AWS_CONFIG_FILE: '/nowhere' }],
      1,
      'the region is missing: give --region',
    ],
    ['a table that is gone', () => ((aws.variables['TABLE_NAME'] = 'nowhere'), []), 1, "Can't write to the table"],
    ['no file', () => [['--ids', '/nowhere']], 2, "--ids can't be read: ENOENT"],
    ['a region that Chat does not have', () => [['--chat-region', 'mars']], 2, 'Allowed choices are china, singapore'],
  ])('%s is named in one line', async (_what, spoil, expectedCode, message) => {
    const { outputs } = aws;
    aws.outputs = { ...outputs };
    chat.accounts.set('@TOA#_a', chatAccount());
    const { code, stderr, stdout } = await run(['@TOA#_a'], ...spoil());
    aws.outputs = outputs;
    expect(stderr).toContain(message);
    expect(code).toBe(expectedCode);
    for (const sig of [KEY, ...signatures()]) expect(stdout + stderr).not.toContain(sig);
  });

  test('no network to AWS is named in one line', async () => {
    // In a process of its own: the SDK does not recognize Node's errors in Jest's context.
    const env = { AWS_ENDPOINT_URL_CLOUDFORMATION: 'http://127.0.0.1:1', AWS_MAX_ATTEMPTS: '1' };
    const { code, stderr } = await start(['@TOA#_a'], [], env).ended;
    expect(stderr).toMatch(/^Can't .*: AWS can't be reached \(ECONNREFUSED\)\n$/);
    expect(code).toBe(1);
  });
});

test('where npm start does not run, the message says how to start it', async () => {
  const args = ['--ids', import.meta.filename, '--local', '--inspector-port', '1', '--chat-region', 'tokyo'];
  const { code, stderr } = await inProcess(backfillProgram, args);
  expect(stderr).toBe(
    "The inspector of 'npm start' does not run on port 1: start it, or give its port with --inspector-port\n",
  );
  expect(code).toBe(1);
});

test.each([
  [[], "required option '--ids <file>' not specified\nSee --help.\n"],
  [['--ids', import.meta.filename], 'give either --stack <name> or --local\nSee --help.\n'],
])('options that are missing are named: %j', async (args, message) => {
  expect(await inProcess(backfillProgram, args)).toEqual({ code: 2, stdout: '', stderr: message });
});

test('another program on that port is not taken for it', async () => {
  const server = createServer((_request, response) => response.writeHead(404).end('{"message":"Not Found"}'));
  const other = await listen(server, 0);
  const args = [
    '--ids',
    import.meta.filename,
    '--local',
    '--inspector-port',
    new URL(other.url).port,
    '--chat-region',
    'tokyo',
  ];
  const { code, stderr } = await inProcess(backfillProgram, args);
  await other.close();
  expect(stderr).toMatch(/^The inspector of 'npm start' does not run on port \d+: .*\n$/);
  expect(code).toBe(1);
});

test('--help says what there is', async () => {
  const { code, stdout } = await program('infra/operations/backfill.ts', ['--help']).ended;
  expect(code).toBe(0);
  for (const word of ['--ids', '--stack', '--chat-region', 'singapore', 'CHAT_APP_KEY', 'Examples']) {
    expect(stdout).toContain(word);
  }
});

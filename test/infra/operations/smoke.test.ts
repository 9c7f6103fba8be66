import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { listen, type Loopback } from '../../../infra/local/aws/loopback.ts';
import { startSecretsManager, type SecretsManager } from '../../../infra/local/aws/secrets-manager.ts';
import { smokeProgram } from '../../../infra/operations/smoke.ts';
import { startAccountsTable, TABLE, type AccountsTable } from '../../accounts-table.ts';
import { OK, SDK_APP_ID, signed, TOKEN } from '../../delivery.ts';
import { inProcess } from '../../in-process.ts';
import { program } from '../../program.ts';
import { recordsOf } from '../../records.ts';
import { until } from '../../until.ts';
import { AWS_ERRORS, receiverVariables, STACK, startFakeAws, type FakeAws } from './fake-aws.ts';
import { startFakeEventBus, type FakeEventBus } from './fake-event-bus.ts';

const ALL_WELL = [
  'ok    the deployment is found',
  'ok    the token is in Secrets Manager',
  'ok    a signed delivery without a command is answered OK in time',
  'ok    a wrong Sign is rejected',
  'ok    a test account is delivered, and answered OK in time',
  'ok    its record is in the table',
  'ok    its event is on the event bus',
  expect.stringMatching(/^ok {4}@TOA#_smoke-[\da-f]{8} is deleted again, with the rule and the queue for its event$/),
];
const linesOf = (stdout: string) => stdout.trimEnd().split('\n');

let [aws, bus, server]: [FakeAws, FakeEventBus, Loopback] = [] as never;
let table: AccountsTable;
let secrets: SecretsManager;
let answer: (query: URLSearchParams, body: Record<string, any>) => unknown;
const reply = (ErrorCode: number) =>
  JSON.stringify({ ActionStatus: ErrorCode ? 'FAIL' : 'OK', ErrorInfo: '', ErrorCode });

let stored: string;
let [store, publish]: [AccountsTable['put'], FakeEventBus['put']] = [] as never;
/** Replies, stores and publishes like the receiver. */
const workingReceiver: typeof answer = async (query, body) => {
  const { Sign } = signed(query.get('RequestTime') ?? '');
  if (query.get('Sign') !== Sign) return reply(120003);
  const { Official_Account: officialAccountId, EventTime: eventTime, Name: name } = body;
  if (officialAccountId !== undefined) {
    const record = { sdkAppId: SDK_APP_ID, officialAccountId, name };
    await store({ ...record, eventTime });
    if (stored !== JSON.stringify(record)) {
      publish({ 'detail-type': 'Official Account Created', detail: { officialAccountId } });
    }
    stored = JSON.stringify(record);
  }
  return OK.body;
};

/** Replies to deliveries of accounts later than Chat waits. */
const lateReceiver: typeof answer = async (query, body) => {
  if (body['Official_Account'] !== undefined) await sleep(2_100);
  return workingReceiver(query, body);
};

beforeAll(async () => {
  [aws, bus, table, secrets] = await Promise.all([
    startFakeAws(),
    startFakeEventBus(),
    startAccountsTable(),
    startSecretsManager(),
  ]);
  server = await listen(
    createServer(async (request, response) => {
      const { searchParams } = new URL(request.url ?? '', server.url);
      const body = (await text(request)) || '{}';
      response.end(await answer(searchParams, JSON.parse(body)));
    }),
    0,
  );
});
afterAll(() => Promise.all([aws, bus, server, table, secrets].map((each) => each.close())));
beforeEach(() => {
  bus.clear();
  answer = workingReceiver;
  [stored, store, publish] = ['', table.put, bus.put];
  secrets.put('token', TOKEN);
  aws.outputs['WebhookUrl'] = server.url;
  aws.variables = { ...receiverVariables(TABLE), AUTHENTICATION: 'token', TOKEN_SECRET_ARN: 'token' };
});
const commandLine = (...args: string[]) =>
  [
    ['--stack', STACK, '--patience', '1', ...args],
    {
      ...aws.environment,
      AWS_ENDPOINT_URL_SQS: bus.url,
      AWS_ENDPOINT_URL_EVENTBRIDGE: bus.url,
      AWS_ENDPOINT_URL_DYNAMODB: table.url,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    },
  ] as const;
const start = (...args: string[]) => inProcess(smokeProgram, ...commandLine(...args));
const leftovers = async () => [...bus.left(), ...(await recordsOf(table.url, TABLE))];

test('each check passes, also if the rule does not match at first, and no record, rule or queue is left', async () => {
  let events = 0;
  publish = (event) => void ((events += 1) > 3 && bus.put(event));
  const { code, stdout, stderr } = await start('--patience', '20');
  expect({ code, lines: linesOf(stdout), stderr }).toEqual({ code: 0, lines: ALL_WELL, stderr: '' });
  expect(await leftovers()).toEqual([]);
  expect(bus.calls).toContain('AmazonSQS.SetQueueAttributes');
});

test('--no-account stores nothing', async () => {
  const { code, stdout } = await start('--no-account');
  expect(linesOf(stdout)).toEqual([...ALL_WELL.slice(0, 4), 'skip  a test account: --no-account was given']);
  expect(code).toBe(0);
  expect(stored).toBe('');
});

test.each<[string, () => void, number, string]>([
  ['a token in JSON', () => secrets.put('token', '{"token":"x"}'), 1, 'the secret contains JSON: store only the token'],
  ['an empty token', () => secrets.put('token', ''), 1, 'The receiver rejects the token, because the secret is empty'],
  ['another token', () => secrets.put('token', 'other'), 2, 'The reply is HTTP 200 {"ActionStatus":"FAIL"'],
  [
    'a wrong URL',
    () => (aws.outputs['WebhookUrl'] = 'http://127.0.0.1:1'),
    2,
    'There is no reply from http://127.0.0.1:1',
  ],
  ['a reply that is not JSON', () => (answer = () => '<html>'), 2, 'The reply is HTTP 200 <html>'],
  ['another clock', () => (answer = () => reply(120004)), 2, "check this machine's clock"],
  ['no check of the signature', () => (answer = () => OK.body), 3, 'anyone who knows the URL can write records'],
  ['a late reply', () => (answer = lateReceiver), 4, 'but Chat waits for 2000'],
  ['a record that is not stored', () => (store = async () => {}), 5, 'It is not, because DynamoDB failed'],
  ['a missing event', () => (publish = () => {}), 6, "It is not: see the publisher's log"],
])('%s fails the check with the reason, and nothing is left', async (_what, arrange, passed, message) => {
  arrange();
  const { code, stdout, stderr } = await start();
  const lines = linesOf(stdout);
  expect(lines.slice(0, passed).filter((line) => !line.startsWith('ok    '))).toEqual([]);
  expect(lines[passed]).toMatch(/^FAIL {2}/);
  expect(lines.length).toBe(passed < 4 ? passed + 1 : passed + 2);
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/^ +at /m);
  expect(stdout + stderr).not.toMatch(/Sign=|xxxxyyyy/);
  expect(code).toBe(1);
  expect(await leftovers()).toEqual([]);
});

test.each(['AmazonSQS.CreateQueue', 'AWSEvents.PutRule', 'AWSEvents.PutTargets'])(
  'without the permission for %s, the event bus is not checked, and nothing is left',
  async (call) => {
    bus.errors = { [call]: AWS_ERRORS.denied(call) };
    const { code, stdout } = await start();
    expect(stdout).toMatch(/^skip {2}its event is on the event bus: .*your credentials lack the right/m);
    expect(stdout).toMatch(/^ok {4}@TOA#_smoke-.* is deleted again/m);
    expect(code).toBe(0);
    expect(bus.left()).toEqual([]);
  },
);

test('resources that cannot be deleted are named', async () => {
  bus.errors = { 'AmazonSQS.DeleteQueue': AWS_ERRORS.denied('sqs:DeleteQueue') };
  const { code, stderr } = await start();
  expect(stderr).toMatch(/^Can't delete the queue tencent-chat-smoke-[\da-f-]{36}: delete it by hand\n$/);
  expect(code).toBe(1);
  expect(bus.left()).toEqual(['queue']);
});

test('if the allow-list rejects this machine, the remaining checks are skipped', async () => {
  answer = (query) => (query.get('Sign') === '0'.repeat(64) ? reply(120003) : reply(120002));
  const { code, stdout } = await start();
  expect(linesOf(stdout).slice(2)).toEqual([
    'ok    a signed delivery without a command is answered OK in time',
    'ok    a wrong Sign is rejected',
    "skip  a test account: this machine's address is not in allowedCidrs, and was rejected as it should be",
  ]);
  expect(code).toBe(0);
});

test('Ctrl-C while the command waits leaves nothing', async () => {
  let delivered = 0;
  publish = () => void (delivered += 1);
  const { child, ended } = program('infra/operations/smoke.ts', ...commandLine('--patience', '60'));
  await until(() => delivered > 0);
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  expect(stderr).toBe('Interrupted\n');
  expect(code).toBe(1);
  expect(await leftovers()).toEqual([]);
});

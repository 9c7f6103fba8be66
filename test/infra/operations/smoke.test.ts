import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { listen, type Loopback } from '../../../infra/local/aws/loopback.ts';
import { startSecretsManager, type SecretsManager } from '../../../infra/local/aws/secrets-manager.ts';
import type { Description } from '../../../infra/cli/local-deployment.ts';
import { smokeProgram } from '../../../infra/operations/smoke.ts';
import { startAccountsTable, TABLE, type AccountsTable } from '../../accounts-table.ts';
import { OK, SDK_APP_ID, signed, TOKEN } from '../../delivery.ts';
import { startLocalReceiver, type LocalReceiver } from '../../local-receiver.ts';
import { inProcess } from '../../in-process.ts';
import { program } from '../../program.ts';
import { recordsOf } from '../../records.ts';
import { until } from '../../until.ts';
import { AWS_ERRORS, receiverVariables, STACK, startFakeAws, type FakeAws } from './fake-aws.ts';
import { startFakeEventBus } from './fake-event-bus.ts';

const smoke = (args: string[], env: Record<string, string> = {}) => inProcess(smokeProgram, args, env);
/** Runs the command as a process. */
const smokeAlone = (args: string[], env: Record<string, string> = {}) =>
  program('infra/operations/smoke.ts', args, env);

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

let aws: FakeAws;
let bus: Awaited<ReturnType<typeof startFakeEventBus>>;
beforeAll(async () => {
  [aws, bus] = await Promise.all([startFakeAws(), startFakeEventBus()]);
});
afterAll(() => Promise.all([aws.close(), bus.close()]));
beforeEach(() => {
  aws.errors = {};
  bus.clear();
});
const environment = () => ({
  ...aws.environment,
  AWS_ENDPOINT_URL_SQS: bus.url,
  AWS_ENDPOINT_URL_EVENTBRIDGE: bus.url,
});

describe('with a working receiver', () => {
  let receiver: LocalReceiver;
  let description: Description;
  beforeAll(async () => {
    receiver = await startLocalReceiver();
    description = (await (await fetch(new URL('/deployment', receiver.inspectorUrl))).json()) as Description;
  });
  afterAll(() => receiver.stop());

  test.each<[string, Record<string, string>]>([
    ['', {}],
    [', with a proxy that does not work', { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:1' }],
  ])('each check passes on this machine, and the table is empty afterwards%s', async (_how, env) => {
    const before = await receiver.records();
    const { code, stdout, stderr } = await smokeAlone(
      ['--local', '--inspector-port', new URL(receiver.inspectorUrl).port],
      env,
    ).ended;
    expect({ code, lines: linesOf(stdout), stderr }).toEqual({ code: 0, lines: ALL_WELL, stderr: '' });
    expect(await receiver.records()).toEqual(before);
  });

  test('each check passes with a stack, and no record, rule or queue is left', async () => {
    const before = await receiver.records();
    const over = new AbortController();
    const { body } = await fetch(receiver.eventsUrl, { signal: over.signal });
    const forwarding = (async () => {
      for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
        for (const [, data = ''] of chunk.matchAll(/^data: (.*)$/gm)) bus.put(JSON.parse(data));
      }
    })().catch(() => {});
    aws.outputs['WebhookUrl'] = receiver.url;
    aws.variables = description.environment;
    const { AWS_ENDPOINT_URL_DYNAMODB = '', AWS_ENDPOINT_URL_SECRETS_MANAGER = '' } = description.environment;
    const { code, stdout, stderr } = await smoke(['--stack', STACK], {
      ...environment(),
      AWS_ENDPOINT_URL_DYNAMODB,
      AWS_ENDPOINT_URL_SECRETS_MANAGER,
    });
    over.abort();
    await forwarding;
    expect({ code, lines: linesOf(stdout), stderr }).toEqual({ code: 0, lines: ALL_WELL, stderr: '' });
    expect(await receiver.records()).toEqual(before);
    expect(bus.left()).toEqual([]);
    expect(bus.calls).toContain('AmazonSQS.SetQueueAttributes');
  });

  test('--no-account stores nothing', async () => {
    const before = await receiver.records();
    const args = ['--local', '--inspector-port', new URL(receiver.inspectorUrl).port, '--no-account'];
    const { code, stdout } = await smoke(args);
    expect(linesOf(stdout)).toEqual([...ALL_WELL.slice(0, 4), 'skip  a test account: --no-account was given']);
    expect(code).toBe(0);
    expect(await receiver.records()).toEqual(before);
  });
});

describe('with a receiver that can fail', () => {
  let server: Loopback;
  let table: AccountsTable;
  let secrets: SecretsManager;
  let answer: (query: URLSearchParams, body: Record<string, any>) => unknown;
  const reply = (ErrorCode: number) =>
    JSON.stringify({ ActionStatus: ErrorCode ? 'FAIL' : 'OK', ErrorInfo: '', ErrorCode });

  let stored: string;
  /** Replies, stores and publishes like the receiver. */
  const workingReceiver: typeof answer = async (query, body) => {
    const { Sign } = signed(query.get('RequestTime') ?? '');
    if (query.get('Sign') !== Sign) return reply(120003);
    const { Official_Account: officialAccountId, EventTime: eventTime, Name: name } = body;
    if (officialAccountId !== undefined) {
      const record = { sdkAppId: SDK_APP_ID, officialAccountId, name };
      await table.put({ ...record, eventTime });
      if (stored !== JSON.stringify(record)) {
        bus.put({ 'detail-type': 'Official Account Created', detail: { officialAccountId } });
      }
      stored = JSON.stringify(record);
    }
    return OK.body;
  };

  beforeAll(async () => {
    [table, secrets] = await Promise.all([startAccountsTable(), startSecretsManager()]);
    server = await listen(
      createServer(async (request, response) => {
        const { searchParams } = new URL(request.url ?? '', server.url);
        const body = (await text(request)) || '{}';
        response.end(await answer(searchParams, JSON.parse(body)));
      }),
      0,
    );
  });
  afterAll(() => Promise.all([server.close(), table.close(), secrets.close()]));
  beforeEach(() => {
    answer = workingReceiver;
    stored = '';
    secrets.put('token', TOKEN);
    aws.outputs['WebhookUrl'] = server.url;
    aws.variables = { ...receiverVariables(TABLE), AUTHENTICATION: 'token', TOKEN_SECRET_ARN: 'token' };
  });
  const stack = () =>
    [
      ['--stack', STACK, '--patience', '1'],
      {
        ...environment(),
        AWS_ENDPOINT_URL_DYNAMODB: table.url,
        AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
      },
    ] as const;
  const start = (...args: string[]) => smoke([...stack()[0], ...args], stack()[1]);

  test.each<[string, () => Record<string, string> | void, number, string]>([
    [
      'a token in JSON',
      () => void secrets.put('token', '{"token":"x"}'),
      1,
      'because the secret contains JSON: store only the token',
    ],
    [
      'an empty token',
      () => void secrets.put('token', ''),
      1,
      'The receiver rejects the token, because the secret is empty',
    ],
    ['another token', () => void secrets.put('token', 'other'), 2, 'The reply is HTTP 200 {"ActionStatus":"FAIL"'],
    [
      'a wrong URL',
      () => void (aws.outputs['WebhookUrl'] = 'http://127.0.0.1:1'),
      2,
      'There is no reply from http://127.0.0.1:1: ',
    ],
    ['a reply that is not JSON', () => void (answer = () => '<html>'), 2, 'The reply is HTTP 200 <html>'],
    ['another clock', () => void (answer = () => reply(120004)), 2, "check this machine's clock"],
    ['no check of the signature', () => void (answer = () => OK.body), 3, 'anyone who knows the URL can write records'],
    [
      'no permission to write to the table',
      () => void (answer = (query, body) => workingReceiver(query, { ...body, Official_Account: undefined })),
      5,
      'It is not, because DynamoDB failed',
    ],
    ['a missing event', () => void (bus.put = () => {}), 6, "It is not: see the publisher's log"],
    [
      'a late reply',
      () =>
        void (answer = async (query, body) => {
          if (body['Official_Account'] !== undefined) await new Promise((resolve) => setTimeout(resolve, 2_100));
          return workingReceiver(query, body);
        }),
      4,
      'but Chat waits for 2000',
    ],
  ])('%s fails the check with the reason, and nothing is left', async (_what, arrange, passed, message) => {
    const { put } = bus;
    arrange();
    const { code, stdout, stderr } = await start();
    bus.put = put;
    const lines = linesOf(stdout);
    expect(lines.slice(0, passed).filter((line) => !line.startsWith('ok    '))).toEqual([]);
    expect(lines[passed]).toMatch(/^FAIL {2}/);
    expect(lines.length).toBe(passed < 4 ? passed + 1 : passed + 2);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stdout + stderr).not.toMatch(/Sign=|xxxxyyyy/);
    expect(code).toBe(1);
    expect(bus.left()).toEqual([]);
    expect(await recordsOf(table.url, TABLE)).toEqual([]);
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

  test('the event is seen even if the rule does not match at first', async () => {
    const { put } = bus;
    let events = 0;
    bus.put = (event) => void ((events += 1) > 3 && put(event));
    const { code, stdout } = await start('--patience', '20');
    bus.put = put;
    expect(stdout).toMatch(/^ok {4}its event is on the event bus$/m);
    expect(code).toBe(0);
  });

  test('Ctrl-C while the command waits leaves nothing', async () => {
    const { put } = bus;
    let delivered = 0;
    bus.put = () => void (delivered += 1);
    const [args, env] = stack();
    const { child, ended } = smokeAlone([...args, '--patience', '60'], env);
    await until(() => delivered > 0);
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    bus.put = put;
    expect(stderr).toBe('Interrupted\n');
    expect(code).toBe(1);
    expect(bus.left()).toEqual([]);
    expect(await recordsOf(table.url, TABLE)).toEqual([]);
  });
});

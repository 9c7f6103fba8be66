import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { awsJsonServer, ServiceError } from '../../../infra/local/aws/aws-json.ts';
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
import { AWS_ERRORS, receiverVariables, STACK, startFakeAws, type AwsError, type FakeAws } from './fake-aws.ts';

/**
 * EventBridge and SQS, as far as a watch of the event bus takes them: one rule, one queue.
 *
 * @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
 */
async function startFakeBus() {
  const there = new Set<string>();
  const waiting: string[] = [];
  const operation = (name: string, act: (input: Record<string, string>) => object) => ({
    [name]: (input: Record<string, string>) => {
      bus.calls.push(name);
      const error = bus.errors[name];
      if (error !== undefined) throw new ServiceError(error.code, error.message);
      return act(input);
    },
  });
  const add = (what: string, answer: object) => (there.add(what), answer);
  const remove = (what: string) => (there.delete(what), {});
  const arn = 'arn:aws:sqs:eu-central-1:111122223333:queue';
  const server = awsJsonServer({
    ...operation('AmazonSQS.CreateQueue', ({ QueueName }) =>
      add('queue', { QueueUrl: `${bus.url}/111122223333/${QueueName}` }),
    ),
    ...operation('AmazonSQS.GetQueueAttributes', () => ({ Attributes: { QueueArn: arn } })),
    ...operation('AmazonSQS.SetQueueAttributes', () => ({})),
    ...operation('AmazonSQS.ReceiveMessage', () => {
      const Body = waiting.shift();
      const md5 = createHash('md5')
        .update(Body ?? '')
        .digest('hex');
      return Body === undefined ? {} : { Messages: [{ MessageId: '1', ReceiptHandle: '1', Body, MD5OfBody: md5 }] };
    }),
    ...operation('AmazonSQS.DeleteQueue', () => remove('queue')),
    ...operation('AWSEvents.PutRule', ({ EventPattern = '' }) => {
      bus.wanted = JSON.parse(EventPattern).detail.officialAccountId;
      return add('rule', { RuleArn: 'arn:aws:events:eu-central-1:111122223333:rule/bus/rule' });
    }),
    ...operation('AWSEvents.PutTargets', () => add('target', { FailedEntryCount: 0 })),
    ...operation('AWSEvents.RemoveTargets', () => add('-', remove('target'))),
    ...operation('AWSEvents.DeleteRule', () => {
      if (there.has('target'))
        throw new ServiceError('ValidationException', "Rule can't be deleted since it has targets.");
      return remove('rule');
    }),
  });
  const bus = {
    ...(await listen(server, 0)),
    calls: [] as string[],
    errors: {} as Record<string, AwsError>,
    wanted: [] as string[],
    /** What was made and not deleted. */
    left: () => ['queue', 'rule', 'target'].filter((what) => there.has(what)),
    /** An event on the bus, which the rule may let through. */
    put(event: { 'detail-type': string; detail: { officialAccountId: string } }) {
      if (there.has('target') && bus.wanted.includes(event.detail.officialAccountId))
        waiting.push(JSON.stringify(event));
    },
    clear() {
      there.clear();
      waiting.splice(0);
      bus.calls.splice(0);
      bus.errors = {};
    },
  };
  return bus;
}

const smoke = (args: string[], env: Record<string, string> = {}) => inProcess(smokeProgram, args, env);
/** In a process of its own, as a user does. */
const smokeAlone = (args: string[], env: Record<string, string> = {}) =>
  program('infra/operations/smoke.ts', args, env);

const ALL_WELL = [
  'ok    the deployment is found',
  'ok    the token is in Secrets Manager',
  'ok    a signed delivery without a command is answered OK in time',
  'ok    a wrong Sign is refused',
  'ok    a test account is delivered, and answered OK in time',
  'ok    its record is in the table',
  'ok    its event is on the event bus',
  expect.stringMatching(/^ok {4}@TOA#_smoke-[\da-f]{8} is deleted again, with the rule and the queue for its event$/),
];
const linesOf = (stdout: string) => stdout.trimEnd().split('\n');

let aws: FakeAws;
let bus: Awaited<ReturnType<typeof startFakeBus>>;
beforeAll(async () => {
  [aws, bus] = await Promise.all([startFakeAws(), startFakeBus()]);
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

describe('with a receiver that runs', () => {
  let receiver: LocalReceiver;
  let description: Description;
  beforeAll(async () => {
    receiver = await startLocalReceiver();
    description = (await (await fetch(new URL('/deployment', receiver.inspectorUrl))).json()) as Description;
  });
  afterAll(() => receiver.stop());

  test.each<[string, Record<string, string>]>([
    ['', {}],
    [', with a proxy that leads nowhere', { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:1' }],
  ])('each check passes on this machine, and nothing is left in the table%s', async (_how, env) => {
    const before = await receiver.records();
    const { code, stdout, stderr } = await smokeAlone(
      ['--local', '--inspector-port', new URL(receiver.inspectorUrl).port],
      env,
    ).ended;
    expect({ code, lines: linesOf(stdout), stderr }).toEqual({ code: 0, lines: ALL_WELL, stderr: '' });
    expect(await receiver.records()).toEqual(before);
  });

  test('each check passes with a stack, and nothing is left in the table, on the bus or in a queue', async () => {
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

describe('with a receiver that may be broken', () => {
  let server: Loopback;
  let table: AccountsTable;
  let secrets: SecretsManager;
  let answer: (query: URLSearchParams, body: Record<string, any>) => unknown;
  const reply = (ErrorCode: number) =>
    JSON.stringify({ ActionStatus: ErrorCode ? 'FAIL' : 'OK', ErrorInfo: '', ErrorCode });

  let stored: string;
  /** Answers as the receiver does, stores what it should, and publishes what changes the record. */
  const rightly: typeof answer = async (query, body) => {
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
    answer = rightly;
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
    ['no token', () => void secrets.put('token', ''), 1, 'The receiver refuses the token, because the secret is empty'],
    ['another token', () => void secrets.put('token', 'other'), 2, 'The reply is HTTP 200 {"ActionStatus":"FAIL"'],
    [
      'a wrong URL',
      () => void (aws.outputs['WebhookUrl'] = 'http://127.0.0.1:1'),
      2,
      'There is no reply from http://127.0.0.1:1: ',
    ],
    ['no JSON', () => void (answer = () => '<html>'), 2, 'The reply is HTTP 200 <html>'],
    ['another clock', () => void (answer = () => reply(120004)), 2, "check this machine's clock"],
    ['no check of the signature', () => void (answer = () => OK.body), 3, 'anyone who knows the URL can write records'],
    [
      'no right to write to the table',
      () => void (answer = (query, body) => rightly(query, { ...body, Official_Account: undefined })),
      5,
      'It is not, because DynamoDB failed',
    ],
    ['a bus that gets no event', () => void (bus.put = () => {}), 6, "It is not: see the publisher's log"],
    [
      'a reply that is late',
      () =>
        void (answer = async (query, body) => {
          if (body['Official_Account'] !== undefined) await new Promise((resolve) => setTimeout(resolve, 2_100));
          return rightly(query, body);
        }),
      4,
      'but Chat waits for 2000',
    ],
  ])('%s makes it fail there, with the reason, and nothing is left', async (_what, break_, passed, message) => {
    const { put } = bus;
    break_();
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
    'without the right to %s the event bus is left out, and nothing remains',
    async (call) => {
      bus.errors = { [call]: AWS_ERRORS.denied(call) };
      const { code, stdout } = await start();
      expect(stdout).toMatch(/^skip {2}its event is on the event bus: .*your credentials lack the right/m);
      expect(stdout).toMatch(/^ok {4}@TOA#_smoke-.* is deleted again/m);
      expect(code).toBe(0);
      expect(bus.left()).toEqual([]);
    },
  );

  test('what can’t be deleted is named', async () => {
    bus.errors = { 'AmazonSQS.DeleteQueue': AWS_ERRORS.denied('sqs:DeleteQueue') };
    const { code, stderr } = await start();
    expect(stderr).toMatch(/^Can't delete the queue tencent-chat-smoke-[\da-f-]{36}: delete it by hand\n$/);
    expect(code).toBe(1);
    expect(bus.left()).toEqual(['queue']);
  });

  test('where the allow-list turns this machine away, the rest is left out', async () => {
    answer = (query) => (query.get('Sign') === '0'.repeat(64) ? reply(120003) : reply(120002));
    const { code, stdout } = await start();
    expect(linesOf(stdout).slice(2)).toEqual([
      'ok    a signed delivery without a command is answered OK in time',
      'ok    a wrong Sign is refused',
      "skip  a test account: this machine's address is not in allowedCidrs, and was refused as it should be",
    ]);
    expect(code).toBe(0);
  });

  test('a rule that sees nothing at first sees a later event', async () => {
    const { put } = bus;
    let events = 0;
    bus.put = (event) => void ((events += 1) > 3 && put(event));
    const { code, stdout } = await start('--patience', '20');
    bus.put = put;
    expect(stdout).toMatch(/^ok {4}its event is on the event bus$/m);
    expect(code).toBe(0);
  });

  test('Ctrl-C while it waits leaves nothing', async () => {
    const { put } = bus;
    let delivered = 0;
    bus.put = () => void (delivered += 1);
    const [args, env] = stack();
    const { child, ended } = smokeAlone([...args, '--patience', '60'], env);
    await until(() => delivered > 0 || undefined);
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    bus.put = put;
    expect(stderr).toBe('Interrupted\n');
    expect(code).toBe(1);
    expect(bus.left()).toEqual([]);
    expect(await recordsOf(table.url, TABLE)).toEqual([]);
  });
});

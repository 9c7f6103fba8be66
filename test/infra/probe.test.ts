import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Match } from 'aws-cdk-lib/assertions';
import { bundle } from '../../infra/bundle.ts';
import { startFunction } from '../../infra/local/aws/function.ts';
import { listen, type Loopback } from '../../infra/local/aws/loopback.ts';
import { startSecretsManager, type SecretsManager } from '../../infra/local/aws/secrets-manager.ts';
import { OK, SDK_APP_ID, TOKEN } from '../delivery.ts';
import { startLocalReceiver, type LocalReceiver } from '../local-receiver.ts';
import { ROOT } from '../program.ts';
import { slowed, TIME_SCALE } from '../time.ts';
import { permissions } from './permissions.ts';
import { synthesized } from './synthesized.ts';

const probed = (context: Record<string, string> = {}) => synthesized({ probeMinutes: '5', ...context });

describe('the probe in the stack', () => {
  const template = probed();

  test('calls the public URL at the interval of the option, and is not retried', () => {
    template.hasResourceProperties('AWS::Events::Rule', {
      ScheduleExpression: 'rate(5 minutes)',
      Targets: [
        { Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Probe'), 'Arn'] }, RetryPolicy: { MaximumRetryAttempts: 0 } },
      ],
    });
    template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
      FunctionName: { Ref: Match.stringLikeRegexp('^Probe') },
      MaximumRetryAttempts: 0,
    });
    const domain = { domainName: 'chat.example.com', certificateArn: CERTIFICATE };
    probed(domain).hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ WEBHOOK_URL: 'https://chat.example.com/webhook' }) },
    });
  });

  test('may only read the token, and without authentication not even the token', () => {
    const own = [
      ['logs:CreateLogStream', 'ProbeLog'],
      ['logs:PutLogEvents', 'ProbeLog'],
    ];
    const tracing = [
      ['xray:PutTelemetryRecords', '*'],
      ['xray:PutTraceSegments', '*'],
    ];
    expect(permissions(template, 'Probe')).toEqual([
      ...own,
      ['secretsmanager:GetSecretValue', 'WebhookToken'],
      ...tracing,
    ]);
    const unsigned = probed({ authentication: 'off' });
    expect(permissions(unsigned, 'Probe')).toEqual([...own, ...tracing]);
  });

  test('has an alarm for its errors', () => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'Errors',
      Dimensions: [{ Name: 'FunctionName', Value: { Ref: Match.stringLikeRegexp('^Probe') } }],
      Period: 300,
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      TreatMissingData: 'ignore',
    });
  });

  test('does not exist without the option', () => {
    const without = probed({ probeMinutes: '' });
    expect(Object.keys(without.findResources('AWS::Events::Rule'))).toEqual([]);
    expect(Object.keys(without.findResources('AWS::Lambda::Function'))).toHaveLength(3);
  });
});

const CERTIFICATE = 'arn:aws:acm:ap-southeast-1:123456789012:certificate/0a1b-2c3d';

describe('the running probe', () => {
  let directory: string;
  let secrets: SecretsManager;
  let server: Loopback;
  let answer: { status: number; body: string; delayMs: number; times: number };
  let calls: URL[];
  let printed: string;
  let closedUrl: string;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'probe-'));
    [, secrets] = await Promise.all([bundle(join(ROOT, 'lambda/probe.ts'), directory), startSecretsManager()]);
    server = await listen(
      createServer((request, response) => {
        calls.push(new URL(request.url ?? '', server.url));
        const { status, body, delayMs, times } = answer;
        const isBroken = calls.length <= times;
        setTimeout(
          () =>
            response
              .writeHead(isBroken ? status : 200)
              .end(isBroken ? body.replace('URL', request.url ?? '') : OK.body),
          isBroken ? delayMs : 0,
        );
      }),
      0,
    );
  });
  beforeAll(async () => {
    const closed = await listen(createServer(), 0);
    await closed.close();
    closedUrl = closed.url;
  });
  afterAll(async () => {
    await Promise.all([secrets.close(), server.close()]);
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    secrets.put('token', TOKEN);
    answer = { status: 200, body: OK.body, delayMs: 0, times: 0 };
    calls = [];
    printed = '';
  });

  async function probe(variables: Record<string, string> = {}): Promise<void> {
    const environment = {
      SERVICE_NAME: 'test',
      SDK_APP_ID,
      WEBHOOK_URL: `${server.url}/webhook`,
      AUTHENTICATION: 'token',
      TOKEN_SECRET_ARN: 'token',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
      ...variables,
    };
    const log = new Writable({ write: (chunk, _encoding, done) => ((printed += chunk), done()) });
    const spec = { file: join(directory, 'index.mjs'), handlerName: 'handler', timeoutMs: 30_000, environment };
    const started = await startFunction(spec, { log, timeScale: TIME_SCALE });
    try {
      await started.invoke({});
    } finally {
      await started.stop();
    }
  }

  test('signs its request, which names the app and no command', async () => {
    await probe();
    const [{ pathname, searchParams } = new URL(server.url)] = calls;
    expect(pathname).toBe('/webhook');
    expect([...searchParams.keys()]).toEqual(['SdkAppid', 'contenttype', 'Sign', 'RequestTime']);
    expect(calls).toHaveLength(1);
  });

  const broken = (changes: Partial<typeof answer>) => Object.assign(answer, { times: 2, ...changes });
  const failReply = (ErrorCode: number) => JSON.stringify({ ActionStatus: 'FAIL', ErrorInfo: 'no', ErrorCode });

  test.each<[string, () => Record<string, string> | object, string]>([
    ['a wrong token', () => broken({ body: failReply(120003) }), 'answered HTTP 200 '],
    ['a throttled API', () => broken({ status: 429, body: '{"message":"Too Many Requests"}' }), 'answered HTTP 429 '],
    [
      'a crashed function',
      () => broken({ status: 500, body: '{"message":"Internal Server Error"}' }),
      'answered HTTP 500 ',
    ],
    ['a late reply', () => broken({ delayMs: slowed(2_500) }), 'no answer: TimeoutError'],
    ['a reply that is not JSON', () => broken({ body: 'It works!' }), 'answered HTTP 200 It works!'],
    [
      'a reply that repeats the URL',
      () => broken({ status: 404, body: 'no URL here' }),
      'answered HTTP 404 no /webhook?',
    ],
    ['an unreadable secret', () => ({ variables: { TOKEN_SECRET_ARN: 'another' } }), 'no AWSCURRENT version'],
    ['an empty secret', () => secrets.put('token', '') ?? {}, 'the secret is empty'],
    ['a wrong domain', () => ({ variables: { WEBHOOK_URL: 'http://nowhere.invalid/webhook' } }), 'no answer: E'],
    ['no server', () => ({ variables: { WEBHOOK_URL: closedUrl } }), 'no answer: ECONNREFUSED'],
  ])('%s fails the probe, and its log has the reason without the signature', async (_what, arrange, line) => {
    const { variables = {} } = arrange() as { variables?: Record<string, string> };
    await expect(probe(variables)).rejects.toThrow('the receiver is not healthy');
    expect(printed.split(`"error":"${line}`).length).toBe(3); // at both attempts
    expect(printed).not.toMatch(/Sign=[^…]|xxxxyyyy|[\da-f]{64}/);
  });

  test('a success at the second attempt is a success', async () => {
    broken({ status: 503, times: 1 });
    await probe();
    expect(calls).toHaveLength(2);
  });

  test('a rejection of its address is a success, because the signature was correct', async () => {
    broken({ body: failReply(120002) });
    await probe();
    expect(calls).toHaveLength(1);
  });

  describe('with a receiver', () => {
    let receiver: LocalReceiver;
    beforeAll(async () => {
      receiver = await startLocalReceiver();
    });
    afterAll(() => receiver.stop());

    test('gets an OK, stores nothing and does not count as a delivery', async () => {
      const [records, metrics] = [await receiver.records(), receiver.output.stdout.split('"_aws"').length];
      await probe({ WEBHOOK_URL: receiver.url });
      expect(receiver.log().at(-1)).toMatchObject({ outcome: 'ignored' });
      expect(await receiver.records()).toEqual(records);
      expect(receiver.output.stdout.split('"_aws"').length).toBe(metrics);
    });

    test('fails with another token, which counts as a delivery', async () => {
      secrets.put('token', 'another');
      const metrics = receiver.output.stdout.split('"_aws"').length;
      await expect(probe({ WEBHOOK_URL: receiver.url })).rejects.toThrow('the receiver is not healthy');
      expect(receiver.output.stdout.split('"_aws"').length).toBe(metrics + 2);
    });
  });
});

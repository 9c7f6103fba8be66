import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Description } from '../../../infra/cli/local-deployment.ts';
import { EXAMPLE_TOKEN } from '../../../infra/local/chat.ts';
import { awsJsonServer, ServiceError } from '../../../infra/local/aws/aws-json.ts';
import { listen, type Loopback } from '../../../infra/local/aws/loopback.ts';
import { createCertificate } from '../../certificate.ts';
import { chatAccount, KEY, startChatRestServer, type ChatRestServer } from '../../chat-rest-server.ts';
import { SDK_APP_ID } from '../../delivery.ts';
import { startLocalReceiver, type LocalReceiver } from '../../local-receiver.ts';
import { startLoggingProxy, type LoggingProxy } from '../../logging-proxy.ts';
import { program } from '../../program.ts';
import { STACK, startFakeAws, type FakeAws } from './fake-aws.ts';

const [WEBHOOK, CHAT] = ['hook.example.com', 'adminapisgp.im.qcloud.com'];
const service = (name: string) => `${name}.eu-central-1.amazonaws.com`;

/** Without permission to create a queue, `smoke` skips the check of the event. */
const refuse = () => {
  throw new ServiceError('AccessDeniedException', 'no');
};

let directory: string;
let cert: string;
let proxy: LoggingProxy;
let receiver: LocalReceiver;
let sqsUrl: string;
let [aws, chat, sso, noWatch]: [FakeAws, ChatRestServer, Loopback, Loopback] = [] as never;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'proxy-'));
  const files = createCertificate(
    directory,
    '*.eu-central-1.amazonaws.com',
    '*.sso.eu-central-1.amazonaws.com',
    WEBHOOK,
    CHAT,
  );
  ({ cert } = files);
  const { accessKeyId, secretAccessKey } = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'x' };
  const roleCredentials = { accessKeyId, secretAccessKey, sessionToken: 'y', expiration: Date.now() + 3_600_000 };
  const ssoServer = createServer((_request, response) => response.end(JSON.stringify({ roleCredentials })));
  [proxy, receiver, aws, chat, sso, noWatch] = await Promise.all([
    startLoggingProxy(files),
    startLocalReceiver(),
    startFakeAws(),
    startChatRestServer(),
    listen(ssoServer, 0),
    listen(awsJsonServer({ 'AmazonSQS.CreateQueue': refuse }), 0),
  ]);
  const { environment, eventBusName } = (await (
    await fetch(new URL('/deployment', receiver.inspectorUrl))
  ).json()) as Description;
  const queueUrl = (name: string) => `https://${service('sqs')}${new URL(environment[name] ?? '').pathname}`;
  aws.outputs['WebhookUrl'] = `https://${WEBHOOK}/webhook`;
  aws.outputs['EventBusName'] = eventBusName;
  aws.variables = {
    ...environment,
    PARKING_QUEUE_URL: queueUrl('PARKING_QUEUE_URL'),
    DEAD_LETTER_QUEUE_URL: queueUrl('DEAD_LETTER_QUEUE_URL'),
  };
  sqsUrl = environment['AWS_ENDPOINT_URL_SQS'] ?? '';
  proxy.servers = {
    [service('cloudformation')]: aws.url,
    [service('lambda')]: aws.url,
    [service('portal.sso')]: sso.url,
    [service('dynamodb')]: environment['AWS_ENDPOINT_URL_DYNAMODB'] ?? '',
    [service('events')]: environment['AWS_ENDPOINT_URL_EVENTBRIDGE'] ?? '',
    [service('secretsmanager')]: environment['AWS_ENDPOINT_URL_SECRETS_MANAGER'] ?? '',
    [WEBHOOK]: new URL(receiver.url).origin,
    [CHAT]: chat.url,
  };
});
afterAll(async () => {
  await Promise.all([proxy, aws, chat, sso, noWatch].map((server) => server.close()));
  await receiver.stop();
  rmSync(directory, { recursive: true });
});
beforeEach(() => {
  proxy.calls.splice(0);
  Object.assign(proxy, { delayMs: 0, credentials: undefined });
  chat.accounts.set('@TOA#_news', chatAccount());
  proxy.servers[service('sqs')] = sqsUrl;
});

/** Runs a program that trusts the certificate of the servers behind the proxy. */
const run = (file: string, args: readonly string[], env: Record<string, string>) =>
  program(`infra/${file}.ts`, args, { ...NO_VARIABLES, NODE_EXTRA_CA_CERTS: cert, ...CREDENTIALS, ...env }).ended;
const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'];
const NO_VARIABLES = Object.fromEntries([...VARIABLES, 'NO_PROXY', 'no_proxy'].map((name) => [name, '']));
const CREDENTIALS = {
  CHAT_APP_KEY: KEY,
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'x',
};

/** The hosts to which the proxy has connected. */
const hosts = () => [...new Set(proxy.calls.map((call) => call.replace('CONNECT ', '').replace(/:443$/, '')))];

const SEND = ['--url', `https://${WEBHOOK}/webhook`, '--sdk-app-id', SDK_APP_ID, '--token', EXAMPLE_TOKEN];
const idsFile = () => {
  writeFileSync(join(directory, 'ids.txt'), '@TOA#_news\n');
  return join(directory, 'ids.txt');
};

describe('through the proxy go all calls of', () => {
  const STACK_SERVICES = [service('cloudformation'), service('lambda')];

  test.each<[string, () => string[], string[]]>([
    ['smoke', () => [], [service('secretsmanager'), WEBHOOK, service('dynamodb'), service('sqs')]],
    ['dead-letters', () => ['list'], [service('sqs')]],
    ['backfill', () => ['--ids', idsFile(), '--chat-region', 'singapore'], [CHAT, service('dynamodb')]],
    ['republish', () => ['--id', '@TOA#_test_OA_for_penn'], [service('dynamodb'), service('events')]],
    ['allow-list', () => ['check', '--chat-region', 'singapore'], [CHAT]],
  ])('%s', async (command, args, expected) => {
    if (command === 'smoke') proxy.servers[service('sqs')] = noWatch.url;
    const env = { HTTPS_PROXY: proxy.url };
    const { code, stderr } = await run(`operations/${command}`, [...args(), '--stack', STACK], env);
    expect({ code, stderr, hosts: hosts().toSorted() }).toEqual({
      code: 0,
      stderr: '',
      hosts: [...STACK_SERVICES, ...expected].toSorted(),
    });
  });

  test('send', async () => {
    expect(await run('local/send', SEND, { HTTPS_PROXY: proxy.url })).toMatchObject({ code: 0, stderr: '' });
    expect(hosts()).toEqual([WEBHOOK]);
  });

  test('a profile of AWS SSO', async () => {
    const [home, startUrl] = [join(directory, 'home'), 'https://start.example.com'];
    mkdirSync(join(home, '.aws/sso/cache'), { recursive: true });
    const profile = [
      '[profile sso]',
      'sso_session = company',
      'sso_account_id = 111122223333',
      'sso_role_name = operator',
    ];
    const session = ['[sso-session company]', 'sso_region = eu-central-1', `sso_start_url = ${startUrl}`];
    writeFileSync(join(home, '.aws/config'), [...profile, ...session].join('\n'));
    const token = { accessToken: 'x', expiresAt: new Date(Date.now() + 3_600_000).toISOString() };
    const file = createHash('sha1').update('company').digest('hex');
    writeFileSync(
      join(home, `.aws/sso/cache/${file}.json`),
      JSON.stringify({ ...token, startUrl, region: 'eu-central-1' }),
    );
    const env = {
      HTTPS_PROXY: proxy.url,
      HOME: home,
      AWS_PROFILE: 'sso',
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
    };
    const { code, stderr } = await run('operations/dead-letters', ['list', '--stack', STACK], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(hosts()).toContain(service('portal.sso'));
  });
});

describe('never through the proxy go the calls to this machine of', () => {
  const env = () => ({
    ...Object.fromEntries(VARIABLES.map((name) => [name, proxy.url])),
    NODE_USE_ENV_PROXY: '1',
  });
  const local = () => ['--local', '--inspector-port', new URL(receiver.inspectorUrl).port];
  const chatHere = () => ['--chat-url', chat.url.replace('127.0.0.1', 'localhost')];

  test.each<[string, () => string[]]>([
    ['smoke', () => []],
    ['dead-letters', () => ['list']],
    ['backfill', () => ['--ids', idsFile(), ...chatHere()]],
    ['republish', () => ['--id', '@TOA#_test_OA_for_penn']],
    ['allow-list', () => ['check', ...chatHere()]],
  ])('%s', async (command, args) => {
    const { code, stderr } = await run(`operations/${command}`, [...args(), ...local()], env());
    expect({ code, stderr, calls: proxy.calls }).toEqual({ code: 0, stderr: '', calls: [] });
  });

  test.each(['127.0.0.1', 'localhost'])('a command whose AWS is at %s', async (host) => {
    const url = aws.url.replace('127.0.0.1', host);
    const endpoints = { AWS_ENDPOINT_URL_CLOUDFORMATION: url, AWS_ENDPOINT_URL_LAMBDA: url };
    const args = ['check', '--stack', STACK, ...chatHere()];
    expect(await run('operations/allow-list', args, { ...env(), ...endpoints })).toMatchObject({ code: 0, stderr: '' });
    expect(proxy.calls).toEqual([]);
  });

  test('send', async () => {
    const args = ['--url', receiver.url.replace('127.0.0.1', 'localhost')];
    expect(await run('local/send', args, env())).toMatchObject({ code: 0, stderr: '' });
    expect(proxy.calls).toEqual([]);
  });
});

describe('the variables', () => {
  const send = (env: Record<string, string>) => run('local/send', SEND, env);

  test('in lower case are read, and win', async () => {
    expect(await send({ https_proxy: proxy.url, HTTPS_PROXY: 'http://127.0.0.1:1' })).toMatchObject({ code: 0 });
    expect(hosts()).toEqual([WEBHOOK]);
  });

  test('may name the proxy without http://', async () => {
    expect(await send({ HTTPS_PROXY: new URL(proxy.url).host })).toMatchObject({ code: 0 });
    expect(hosts()).toEqual([WEBHOOK]);
  });

  test.each(['NO_PROXY', 'no_proxy'])('%s excepts hosts', async (name) => {
    expect(await send({ HTTPS_PROXY: proxy.url, [name]: 'a.example,.example.com' })).toMatchObject({ code: 1 });
    expect(proxy.calls).toEqual([]);
  });

  test('may contain a password, which no error shows', async () => {
    proxy.credentials = 'operator:secret';
    const url = (password: string) => proxy.url.replace('://', `://operator:${password}@`);
    expect(await send({ HTTPS_PROXY: url('secret') })).toMatchObject({ code: 0 });
    const { code, stdout, stderr } = await send({ HTTPS_PROXY: url('wrong') });
    expect(code).toBe(1);
    expect(stdout).toContain('407 Proxy Authentication Required');
    expect(stdout + stderr).not.toContain('wrong');
  });

  test('with another kind of proxy end the command', async () => {
    const { stdout } = await send({ HTTPS_PROXY: 'socks5://operator:secret@127.0.0.1:1' });
    expect(stdout).toContain(
      '$HTTPS_PROXY must be the URL of an HTTP proxy, for example http://proxy.example.com:3128',
    );
    expect(stdout).not.toContain('secret');
    const { code, stderr } = await run('operations/smoke', ['--stack', STACK], { https_proxy: 'socks5://127.0.0.1:1' });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^\$HTTPS_PROXY must be .*\nSee --help\.\n$/);
  });
});

test('a proxy may take its time to connect', async () => {
  proxy.delayMs = 1_500; // longer than connections to this machine are kept
  expect(await run('local/send', SEND, { HTTPS_PROXY: proxy.url })).toMatchObject({ code: 0 });
});

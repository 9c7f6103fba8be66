import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Description } from '../../../infra/cli/local-deployment.ts';
import { EXAMPLE_TOKEN } from '../../../infra/local/chat.ts';
import { listen } from '../../../infra/local/aws/loopback.ts';
import { sendProgram } from '../../../infra/local/send.ts';
import { allowListProgram } from '../../../infra/operations/allow-list.ts';
import { backfillProgram } from '../../../infra/operations/backfill.ts';
import { deadLettersProgram } from '../../../infra/operations/dead-letters.ts';
import { republishProgram } from '../../../infra/operations/republish.ts';
import { smokeProgram } from '../../../infra/operations/smoke.ts';
import { createCertificate } from '../../certificate.ts';
import { chatAccount, KEY, startChatRestServer, type ChatRestServer } from '../../chat-rest-server.ts';
import { post, SDK_APP_ID } from '../../delivery.ts';
import { inProcess } from '../../in-process.ts';
import { startLocalReceiver, type LocalReceiver } from '../../local-receiver.ts';
import { startLoggingProxy, type LoggingProxy } from '../../logging-proxy.ts';
import { program } from '../../program.ts';
import { until } from '../../until.ts';
import { STACK, startFakeAws, type FakeAws } from './fake-aws.ts';

// All operator commands with a receiver that really runs: as `npm start`, and as a stack behind a proxy.

let [receiver, chat]: [LocalReceiver, ChatRestServer] = [] as never;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'all-commands-'));
  [receiver, chat] = await Promise.all([startLocalReceiver(), startChatRestServer()]);
  writeFileSync(join(directory, 'ids.txt'), '@TOA#_before\n');
  chat.accounts.set('@TOA#_before', chatAccount({ Name: '新闻' }));
});
afterAll(async () => {
  await Promise.all([receiver.stop(), chat.close()]);
  rmSync(directory, { recursive: true });
});

describe('on this machine, without the proxy,', () => {
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].map((name) => [
    name,
    'http://127.0.0.1:1',
  ]);
  const environment = () => ({
    ...Object.fromEntries(proxies),
    AWS_PROFILE: 'company', // must not win over the credentials of the local services
    CHAT_APP_KEY: KEY,
    // npm's variable for the user's working directory, to which the path of a file is relative.
    INIT_CWD: directory,
  });
  const local = () => ['--local', '--inspector-port', new URL(receiver.inspectorUrl).port];
  const operate = (createProgram: Parameters<typeof inProcess>[0], ...args: string[]) =>
    inProcess(createProgram, [...args, ...local()], environment());
  const chatHere = () => ['--chat-url', chat.url.replace('127.0.0.1', 'localhost')];

  test('a dead letter is listed, sent back, listed again because it is still wrong, and deleted', async () => {
    const list = async (): Promise<Record<string, unknown>[]> =>
      JSON.parse((await operate(deadLettersProgram, 'list', '--json')).stdout);
    expect(await list()).toEqual([]);
    await post(receiver.url, ({ payload }) => delete payload['Name']);
    const [letter] = await list();
    expect(letter).toMatchObject({ reason: 'badPayload', field: 'Name', officialAccountId: '@TOA#_test_OA_for_penn' });

    const replayed = await operate(deadLettersProgram, 'replay', String(letter?.['id']));
    expect(replayed).toMatchObject({ code: 0, stderr: '' });
    const back = await until(async () => (await list())[0]);
    expect(back).toMatchObject({ reason: 'badPayload', requestId: letter?.['requestId'] });
    expect(back['id']).not.toBe(letter?.['id']);

    const dropped = await operate(deadLettersProgram, 'drop', String(back['id']), '--yes');
    expect(dropped).toMatchObject({ code: 0, stderr: '' });
    expect(await list()).toEqual([]);
  });

  test('backfill stores and publishes an account that is older than the receiver', async () => {
    const { code, stdout } = await operate(backfillProgram, '--ids', 'ids.txt', ...chatHere());
    expect(stdout).toMatch(/^1 asked for: 1 found \(1 stored/);
    expect(code).toBe(0);
    expect((await receiver.records()).find(({ name }) => name === '新闻')).toMatchObject({
      officialAccountId: '@TOA#_before',
      createdTime: 1670574414000,
    });
    await until(() => /^event .*"Official Account Created".*@TOA#_before/m.test(receiver.output.stdout));
  });

  test('republish publishes an event again, and with --dry-run none', async () => {
    const id = '@TOA#_again';
    await post(receiver.url, ({ payload }) => (payload['Official_Account'] = id));
    const events = (): { detail: object }[] =>
      [...receiver.output.stdout.matchAll(/^event (.*"@TOA#_again".*)\n/gm)].map(([, event = '']) => JSON.parse(event));
    await until(() => events().length === 1);

    const records = await receiver.records();
    const dryRun = await operate(republishProgram, '--id', id, '--dry-run');
    expect(dryRun.stdout).toContain('1 found in the deployment on this machine: 1 would be published.\n');
    const { code, stdout } = await operate(republishProgram, '--id', id);
    expect(stdout).toContain('1 found, 1 published (1 as created, 0 as destroyed)');
    expect(code).toBe(0);
    await until(() => events().length === 2);
    expect(events()[1]?.detail).toEqual(events()[0]?.detail);
    expect(await receiver.records()).toEqual(records);
  });

  test('allow-list compares the allow-list', async () => {
    const { code, stdout } = await operate(allowListProgram, 'check', ...chatHere());
    expect(stdout).toBe('There is no allow-list in the deployment on this machine: every address may call.\n');
    expect(code).toBe(0);
  });

  test('each check of smoke passes, and its test account is deleted', async () => {
    const before = await receiver.records();
    // As a process, because Node reads this variable when it starts.
    const env = { ...environment(), NODE_USE_ENV_PROXY: '1' };
    const { code, stdout, stderr } = await program('infra/operations/smoke.ts', local(), env).ended;
    expect(stdout).toMatch(/^(ok {4}.*\n){8}$/);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await receiver.records()).toEqual(before);
  });
});

describe('through the proxy go all calls of', () => {
  const [WEBHOOK, CHAT] = ['hook.example.com', 'adminapisgp.im.qcloud.com'];
  const service = (name: string) => `${name}.eu-central-1.amazonaws.com`;
  const STACK_SERVICES = [service('cloudformation'), service('lambda')];

  const trusted = getCACertificates();
  let [proxy, aws]: [LoggingProxy, FakeAws] = [] as never;
  beforeAll(async () => {
    const [ofAws, ofSso] = ['*.eu-central-1.amazonaws.com', '*.sso.eu-central-1.amazonaws.com'];
    const files = createCertificate(directory, ofAws, ofSso, WEBHOOK, CHAT);
    setDefaultCACertificates([...trusted, readFileSync(files.cert, 'utf8')]);
    [proxy, aws] = await Promise.all([startLoggingProxy(files), startFakeAws()]);
    const description = await (await fetch(new URL('/deployment', receiver.inspectorUrl))).json();
    const { environment, eventBusName } = description as Description;
    const queueUrl = (name: string) => `https://${service('sqs')}${new URL(environment[name] ?? '').pathname}`;
    Object.assign(aws.outputs, { WebhookUrl: `https://${WEBHOOK}/webhook`, EventBusName: eventBusName });
    aws.variables = {
      ...environment,
      PARKING_QUEUE_URL: queueUrl('PARKING_QUEUE_URL'),
      DEAD_LETTER_QUEUE_URL: queueUrl('DEAD_LETTER_QUEUE_URL'),
    };
    proxy.servers = {
      [service('cloudformation')]: aws.url,
      [service('lambda')]: aws.url,
      [service('dynamodb')]: environment['AWS_ENDPOINT_URL_DYNAMODB'] ?? '',
      [service('events')]: environment['AWS_ENDPOINT_URL_EVENTBRIDGE'] ?? '',
      [service('secretsmanager')]: environment['AWS_ENDPOINT_URL_SECRETS_MANAGER'] ?? '',
      [service('sqs')]: environment['AWS_ENDPOINT_URL_SQS'] ?? '',
      [WEBHOOK]: new URL(receiver.url).origin,
      [CHAT]: chat.url,
    };
  });
  afterAll(async () => {
    setDefaultCACertificates(trusted);
    await Promise.all([proxy.close(), aws.close()]);
  });
  beforeEach(() => proxy.hosts.clear());

  const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'x' };
  const run = (createProgram: Parameters<typeof inProcess>[0], args: string[], env: Record<string, string> = {}) =>
    inProcess(createProgram, args, {
      HTTPS_PROXY: proxy.url,
      NO_PROXY: '',
      CHAT_APP_KEY: KEY,
      AWS_REGION: 'eu-central-1',
      ...CREDENTIALS,
      ...env,
    });

  test.each<[string, Parameters<typeof inProcess>[0], () => string[], string[]]>([
    ['dead-letters', deadLettersProgram, () => ['list'], [service('sqs')]],
    [
      'backfill',
      backfillProgram,
      () => ['--ids', join(directory, 'ids.txt'), '--chat-region', 'singapore'],
      [CHAT, service('dynamodb')],
    ],
    ['republish', republishProgram, () => ['--id', '@TOA#_before'], [service('dynamodb'), service('events')]],
    ['allow-list', allowListProgram, () => ['check', '--chat-region', 'singapore'], [CHAT]],
    ['smoke', smokeProgram, () => ['--no-account'], [service('secretsmanager'), WEBHOOK]],
  ])('%s', async (_name, createProgram, args, expected) => {
    const { code, stderr } = await run(createProgram, [...args(), '--stack', STACK]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(proxy.hosts).toEqual(new Set([...STACK_SERVICES, ...expected]));
  });

  test('send', async () => {
    const args = ['--url', `https://${WEBHOOK}/webhook`, '--sdk-app-id', SDK_APP_ID, '--token', EXAMPLE_TOKEN];
    expect(await run(sendProgram, args)).toMatchObject({ code: 0, stderr: '' });
    expect(proxy.hosts).toEqual(new Set([WEBHOOK]));
  });

  test('a profile of AWS SSO', async () => {
    const roleCredentials = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'x', sessionToken: 'y' };
    const answer = JSON.stringify({ roleCredentials: { ...roleCredentials, expiration: Date.now() + 3_600_000 } });
    const sso = await listen(
      createServer((_request, response) => response.end(answer)),
      0,
    );
    Object.assign(proxy.servers, { [service('portal.sso')]: sso.url });
    const session = { region: 'eu-central-1', startUrl: 'https://start.example.com' };
    const token = { ...session, accessToken: 'x', expiresAt: new Date(Date.now() + 3_600_000).toISOString() };
    const cache = join(directory, '.aws/sso/cache');
    mkdirSync(cache, { recursive: true });
    writeFileSync(join(cache, `${createHash('sha1').update('company').digest('hex')}.json`), JSON.stringify(token));
    const config = [
      '[profile sso]',
      'sso_session = company',
      'sso_account_id = 111122223333',
      'sso_role_name = operator',
      '[sso-session company]',
      `sso_region = ${session.region}`,
      `sso_start_url = ${session.startUrl}`,
    ];
    writeFileSync(join(directory, '.aws/config'), config.join('\n'));
    const env = { HOME: directory, AWS_PROFILE: 'sso', AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
    const { code, stderr } = await run(
      allowListProgram,
      ['check', '--stack', STACK, '--chat-region', 'singapore'],
      env,
    );
    await sso.close();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(proxy.hosts).toEqual(new Set([...STACK_SERVICES, service('portal.sso'), CHAT]));
  });
});

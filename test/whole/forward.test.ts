import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import type { Deployment } from '../../infra/local/deployment.ts';
import { CHAT_TIMEOUT_MS, post, SDK_APP_ID, signed, TOKEN, unixSeconds } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { logKeeper } from '../function-log.ts';
import { answer, OK_ANSWER, startRawBackend, type RawAnswer, type RawBackend } from '../raw-backend.ts';
import { recordsOf } from '../records.ts';
import { slowed } from '../time.ts';
import { until } from '../until.ts';

const BEFORE_SEND = 'C2C.CallbackBeforeSendMsg';

let backend: RawBackend;
let running: Deployment;
const log = logKeeper();
const lines = () => log.linesOf('delivery');
const { counts } = log;

beforeAll(async () => {
  backend = await startRawBackend();
  running = await startSlowDeployment({ environment: { FORWARD_URL: `${backend.url}/hook` }, log: log.stream });
});
afterAll(async () => {
  await running?.stop();
  await backend?.close();
});
afterEach(async () => {
  backend.respond = OK_ANSWER;
  backend.requests.splice(0);
});

const requests = () => backend.requests.map(({ line, body }) => ({ line, body }));

/** Posts bytes to the webhook, without changing the query string. */
async function postRaw(query: string, body: Uint8Array | string = '{}', headers: Record<string, string> = {}) {
  const response = await fetch(`${running.url}?${query}`, {
    method: 'POST',
    headers,
    body: Buffer.from(body),
    redirect: 'manual',
  });
  return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
}

const query = (command: string, change: (query: URLSearchParams) => void = () => {}) => {
  const parameters = new URLSearchParams({ SdkAppid: SDK_APP_ID, CallbackCommand: command, ...signed(unixSeconds()) });
  change(parameters);
  return parameters.toString();
};

test.each<[string, (query: URLSearchParams) => void, string | undefined]>([
  ['with a correct signature', () => {}, undefined],
  ['with a wrong signature', (parameters) => parameters.set('Sign', '0'.repeat(64)), 'badSignature'],
  [
    'without a signature',
    (parameters) => ['Sign', 'RequestTime'].forEach((name) => parameters.delete(name)),
    'badSignature',
  ],
  ['for another app', (parameters) => parameters.set('SdkAppid', '1400000001'), 'wrongApp'],
])('a delivery %s reaches the backend unchanged, and the answer reaches Chat', async (_what, change, reason) => {
  const body = Buffer.from('{"Text": "你好 😀"}');
  const reply = '{"ActionStatus": "OK", "ErrorInfo": "好", "ErrorCode": 0}';
  const type = 'application/json; charset=utf-8';
  backend.respond = answer('201 Created', { 'Content-Type': type }, reply);
  const [sent, linesBefore] = [query(BEFORE_SEND, change), lines().length];
  const { status, headers, body: received } = await postRaw(sent, body, { 'content-type': 'application/json' });
  expect({ status, type: headers.get('content-type'), body: received.toString() }).toEqual({
    status: 201,
    type,
    body: reply,
  });
  expect(requests()).toEqual([{ line: `POST /hook?${sent} HTTP/1.1`, body }]);
  const line = await until(() => lines()[linesBefore]);
  expect(line).toMatchObject({
    command: BEFORE_SEND,
    outcome: 'forwarded',
    backendStatus: 201,
    forwardMs: expect.any(Number),
  });
  expect(line['reason']).toBe(reason);
});

test('encoded and repeated parameters and a binary body reach the backend unchanged', async () => {
  const sent = 'callbackcommand=C2C%2ECallbackBeforeSendMsg&SDKAPPID=1&x=%e4%bd%a0+%2B&y&x=2';
  const body = Buffer.from([0xff, 0xfe, 0, 0x80]);
  await postRaw(sent, body);
  expect(requests()).toEqual([{ line: `POST /hook?${sent} HTTP/1.1`, body }]);
});

test('compressed bytes, cookies and a redirect of the backend reach Chat unchanged', async () => {
  const zipped = gzipSync('{"ActionStatus":"OK"}');
  backend.respond = (socket) => {
    socket.write(
      `HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Encoding: gzip\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: ${zipped.length}\r\n\r\n`,
    );
    socket.write(zipped);
  };
  const { status, headers, body } = await postRaw(query(BEFORE_SEND));
  expect({ status, location: headers.get('location'), cookies: headers.getSetCookie() }).toEqual({
    status: 302,
    location: '/elsewhere',
    cookies: ['a=1', 'b=2'],
  });
  expect(body.toString()).toBe('{"ActionStatus":"OK"}'); // fetch decompresses it
  expect(backend.requests).toHaveLength(1);
});

describe('Chat gets a FAIL in Tencent’s shape, in time,', () => {
  test.each<[string, RawAnswer, number, number]>([
    ['if the backend closes the connection', (socket) => socket.destroy(), 502, 120502],
    ['if the backend hangs', () => {}, 504, 120504],
  ])('%s', async (_what, respond, status, code) => {
    backend.respond = respond;
    const start = performance.now();
    const reply = await postRaw(query(BEFORE_SEND));
    expect(performance.now() - start).toBeLessThan(slowed(CHAT_TIMEOUT_MS + 100));
    expect(reply.status).toBe(status);
    expect(reply.headers.get('content-type')).toBe('application/json');
    expect(JSON.parse(reply.body.toString())).toEqual({
      ActionStatus: 'FAIL',
      ErrorInfo: expect.any(String),
      ErrorCode: code,
    });
  });

  test('if the delivery comes back to this webhook', async () => {
    const loops: string[] = [];
    backend.respond = async (socket, request) => {
      const cdnLoop = request.headers.find((header) => /^cdn-loop:/i.test(header))?.split(': ')[1] ?? '';
      loops.push(cdnLoop);
      const { status, body } = await postRaw(request.line.split(/[? ]/)[2] ?? '', request.body, {
        'cdn-loop': cdnLoop,
      });
      answer(`${status} Loop`, { 'Content-Type': 'application/json' }, body)(socket, request);
    };
    const linesBefore = lines().length;
    const reply = await postRaw(query(BEFORE_SEND));
    expect(reply.status).toBe(508);
    expect(JSON.parse(reply.body.toString()).ErrorCode).toBe(120508);
    expect(loops).toHaveLength(1);
    await until(() => lines()[linesBefore + 1]);
    const logged = lines().slice(linesBefore);
    expect(logged.map(({ forwardFailure }) => forwardFailure)).toEqual(['forwardLoop', undefined]);
    await until(() => counts().find(({ forward }) => forward === 'forwardLoop'));
  });
});

test('a handled command is stored and never reaches the backend, even if the backend fails', async () => {
  backend.respond = () => {};
  const good = await post(running.url, ({ payload }) => (payload['Official_Account'] = '@TOA#_自己'));
  expect(JSON.parse(good.body)).toMatchObject({ ActionStatus: 'OK' });
  const bad = await post(running.url, (delivery) => (delivery.body = '{'));
  expect(JSON.parse(bad.body)).toMatchObject({ ErrorCode: 120005 });
  const verify = await postRaw(new URLSearchParams({ SdkAppid: SDK_APP_ID, ...signed(unixSeconds()) }).toString(), '');
  expect(JSON.parse(verify.body.toString())).toMatchObject({ ActionStatus: 'OK' });
  const records = await recordsOf(running.dynamoDb.url, running.spec.tableName);
  expect(records.map(({ officialAccountId }) => officialAccountId)).toContain('@TOA#_自己');
  expect(backend.requests).toEqual([]);
});

test('nothing that is forwarded is stored or queued, and no query string or body is logged', async () => {
  const [before, logged] = [await recordsOf(running.dynamoDb.url, running.spec.tableName), log.text.length];
  for (const { name } of running.spec.queues) await running.sqs.purge(name);
  const sent = query('OfficialAccount.CallbackBeforeAddSubscriber');
  await postRaw(sent, JSON.stringify({ Secret: 'geheim', Official_Account: '@TOA#_x' }));
  backend.respond = (socket) => socket.destroy();
  await postRaw(sent, JSON.stringify({ Secret: 'geheim' }));
  await until(() => (log.text.slice(logged).match(/"forwardMs"/g) ?? []).length === 2);
  expect(await recordsOf(running.dynamoDb.url, running.spec.tableName)).toEqual(before);
  for (const { name } of running.spec.queues) expect(running.sqs.messages(name)).toEqual([]);
  const written = log.text.slice(logged);
  for (const secret of ['geheim', 'RequestTime', new URLSearchParams(sent).get('Sign')!, TOKEN, backend.url]) {
    expect(written).not.toContain(secret);
  }
});

test('an authentic forwarded delivery counts with its time; any other counts by its reason', async () => {
  const before = counts().length;
  await postRaw(query(BEFORE_SEND, (parameters) => parameters.delete('Sign')));
  await postRaw(query(BEFORE_SEND));
  await until(() => counts()[before + 2]);
  expect(counts().slice(before)).toEqual([
    expect.objectContaining({ reason: 'badSignature' }),
    expect.objectContaining({ outcome: 'forwarded', Deliveries: 1 }),
    expect.objectContaining({ forward: 'ok', ForwardTime: expect.any(Number) }),
  ]);
  expect(counts()[before]).not.toHaveProperty('outcome');
});

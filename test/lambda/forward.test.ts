import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Delivery, ForwardResult } from '../../lambda/delivery.ts';
import { createForwarder, type Forwarder } from '../../lambda/forward.ts';
import { BODY, deliveryOf, DEPLOYMENT_NAME, RAW_QUERY } from '../forwarded-delivery.ts';
import { answer, OK_ANSWER, startRawBackend, type RawAnswer, type RawBackend } from '../raw-backend.ts';
import { until } from '../until.ts';

let backend: RawBackend;
beforeEach(async () => {
  backend = await startRawBackend();
});
afterEach(() => backend.close());

const forwarder = (path = '/hook') => createForwarder(backend.url + path, DEPLOYMENT_NAME);
const bytesOf = (result: ForwardResult) => Buffer.from(result.answer?.body ?? '', 'base64');

describe('the backend gets', () => {
  test('the query string, the body and the end-to-end headers unchanged', async () => {
    await forwarder('/im/hook').forward(
      deliveryOf({
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'x-forwarded-for': '192.0.2.1, 198.51.100.7',
          'x-forwarded-proto': 'https',
          accept: '*/*',
          te: 'trailers',
          upgrade: 'h2c',
          'keep-alive': 'timeout=5',
          connection: 'x-hop, keep-alive',
          'x-hop': '1',
          host: 'abc.execute-api.eu-central-1.amazonaws.com',
          'x-amzn-trace-id': 'Root=1-2',
          'content-length': '9',
          'cdn-loop': 'other; v=1',
        },
        cookies: ['a=1', 'b=二'.replace('二', '2')],
      }),
    );
    const [request] = backend.requests;
    expect(request?.line).toBe(`POST /im/hook?${RAW_QUERY} HTTP/1.1`);
    expect(request?.body).toEqual(BODY);
    expect(request?.headers.map((line) => line.toLowerCase()).toSorted()).toEqual([
      'accept: */*',
      expect.stringMatching(/^cdn-loop: other; v=1, tencent-chat-webhook-[\da-f]{16}$/),
      'connection: keep-alive',
      `content-length: ${BODY.length}`,
      'content-type: application/json; charset=utf-8',
      'cookie: a=1; b=2',
      `host: ${new URL(backend.url).host}`,
      'x-forwarded-for: 192.0.2.1, 198.51.100.7',
      'x-forwarded-proto: https',
    ]);
  });

  test.each<[string, Partial<Delivery>, Buffer]>([
    ['an empty body', { body: undefined, isBase64Encoded: false, headers: {} }, Buffer.alloc(0)],
    ['a text body', { body: '{"Name":"公众号"}', isBase64Encoded: false }, Buffer.from('{"Name":"公众号"}')],
    [
      'a body that is not UTF-8',
      { body: Buffer.from([0xff, 0, 0xc3, 0x28]).toString('base64') },
      Buffer.from([0xff, 0, 0xc3, 0x28]),
    ],
    ['a body of 1 MB', { body: Buffer.alloc(1_000_000, '你').toString('base64') }, Buffer.alloc(1_000_000, '你')],
  ])('%s unchanged', async (_what, change, expected) => {
    expect(await forwarder().forward(deliveryOf(change, 2_000))).toMatchObject({ answer: { statusCode: 200 } });
    expect(backend.requests[0]?.body.equals(expected)).toBe(true);
    const types = backend.requests[0]?.headers.filter((line) => /^content-type/i.test(line));
    expect(types).toHaveLength(change.headers === undefined ? 1 : 0);
  });

  test('Chinese characters that are not escaped as UTF-8', async () => {
    const headers = { 'x-name': '李雷' };
    await forwarder().forward(deliveryOf({ rawQueryString: 'a=你 好&b=%20', headers }));
    expect(backend.requests[0]?.line).toBe('POST /hook?a=%E4%BD%A0%20%E5%A5%BD&b=%20 HTTP/1.1');
    expect(backend.requests[0]?.headers).toContain(`x-name: ${Buffer.from('李雷').toString('latin1')}`);
  });

  test('a delivery without a query string unchanged', async () => {
    const { rawQueryString: _, ...absent } = deliveryOf();
    for (const delivery of [deliveryOf({ rawQueryString: '' }), absent]) await forwarder().forward(delivery);
    expect(backend.requests.map(({ line }) => line)).toEqual(['POST /hook HTTP/1.1', 'POST /hook HTTP/1.1']);
  });
});

describe('Chat gets', () => {
  /** Reads the answer of a backend that responds in this way. */
  async function answerTo(respond: RawAnswer) {
    backend.respond = respond;
    const result = await forwarder().forward(deliveryOf({}, 2_000));
    expect(result).toMatchObject({ answer: { isBase64Encoded: true } });
    expect(result.failure).toBeUndefined();
    return { ...result.answer, body: bytesOf(result) };
  }

  test.each<[string, string, Record<string, string>, string | Buffer]>([
    ['an answer', '200 OK', { 'content-type': 'application/json', 'x-trace': '1' }, '{"ErrorCode":1}'],
    ['an answer in Chinese', '200 OK', {}, '{"ErrorInfo":"禁止"}'],
    ['a compressed answer', '200 OK', { 'content-encoding': 'gzip' }, gzipSync('{"ActionStatus":"OK"}')],
    ['binary content', '200 OK', { 'content-type': 'image/png' }, Buffer.from([0, 255, 13, 10])],
    ['a redirect', '301 Moved Permanently', { location: 'https://example.com/' }, ''],
    ['an error', '500 Internal Server Error', { 'content-type': 'text/html' }, '<h1>'],
    ['1 MiB', '200 OK', {}, Buffer.alloc(1024 * 1024, 'a')],
  ])('%s unchanged', async (_what, status, headers, body) => {
    const { statusCode, headers: received, body: bytes } = await answerTo(answer(status, headers, body));
    expect([statusCode, received]).toEqual([parseInt(status), headers]);
    expect(bytes.equals(Buffer.from(body))).toBe(true);
  });

  test.each<[string, string, object, string]>([
    ['no content', 'HTTP/1.1 204 No Content\r\n\r\n', { statusCode: 204, headers: {} }, ''],
    [
      'chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n2\r\n{"\r\n2\r\n"}\r\n0\r\nx-t: 1\r\n\r\n',
      { statusCode: 200, headers: {} },
      '{""}',
    ],
    [
      'an answer without the headers that Connection names',
      'HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nVia: a\r\nVia: b\r\nContent-Length: 3\r\n\r\nend',
      { statusCode: 200, headers: { via: 'a, b' } },
      'end',
    ],
    [
      'cookies',
      'HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n',
      { statusCode: 200, headers: {}, cookies: ['a=1; Path=/', 'b=2'] },
      '',
    ],
    [
      'the answer after an early hint',
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      { statusCode: 200, headers: {} },
      'ok',
    ],
  ])('%s', async (_what, raw, expected, body) => {
    expect(await answerTo((socket) => socket.write(raw))).toMatchObject({ ...expected, body: Buffer.from(body) });
  });

  test('an answer that ends with the connection', async () => {
    const { body } = await answerTo((socket) => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nend'));
    expect(body.toString()).toBe('end');
  });
});

describe('the backend fails:', () => {
  const HUNDRED_MB = Buffer.alloc(1e8);
  test.each<[string, RawAnswer, string, string]>([
    ['it closes the connection', (socket) => socket.destroy(), 'backendFailed', 'ECONNRESET'],
    [
      'it sends half a body',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"'),
      'backendFailed',
      'ECONNRESET',
    ],
    ['it sends no HTTP', (socket) => socket.end('SSH-2.0-OpenSSH\r\n'), 'backendFailed', 'HPE_INVALID_CONSTANT'],
    ['it sends 100 MB', answer('200 OK', {}, HUNDRED_MB), 'backendFailed', 'AnswerTooLargeError'],
    [
      'it switches the protocol',
      (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
      'backendFailed',
      'NoAnswerError',
    ],
    ['it hangs before the headers', () => {}, 'backendTimedOut', 'TimeoutError'],
    [
      'it hangs after the headers',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"'),
      'backendTimedOut',
      'TimeoutError',
    ],
  ])('%s', async (_what, respond, failure, errorCode) => {
    backend.respond = respond;
    const result = await forwarder().forward(deliveryOf());
    expect(result).toEqual({ failure, errorCode, ms: expect.any(Number) });
    expect(result.ms).toBeLessThan(1_500);
    expect(backend.requests).toHaveLength(1);
  });

  test('nothing listens on its port', async () => {
    const { url } = backend;
    await backend.close();
    const result = await createForwarder(`${url}/hook`, DEPLOYMENT_NAME).forward(deliveryOf());
    expect(result).toMatchObject({ failure: 'backendFailed', errorCode: 'ECONNREFUSED' });
    backend = await startRawBackend();
  });

  test('it hangs five times, and then no call waits for it', async () => {
    backend.respond = () => {};
    const { forward } = forwarder();
    const timedOut = expect.objectContaining({ failure: 'backendTimedOut', errorCode: 'TimeoutError' });
    const deliveries = Array.from({ length: 5 }, () => forward(deliveryOf({}, 1_050)));
    expect(await Promise.all(deliveries)).toEqual(Array(5).fill(timedOut));
    expect(await forward(deliveryOf())).toEqual({ failure: 'backendTimedOut', errorCode: 'BreakerOpen', ms: 0 });
    expect(backend.requests).toHaveLength(5);
  });
});

test('time-outs after a slow cold start do not show that the backend hangs', async () => {
  backend.respond = () => {};
  const { forward } = forwarder();
  for (let times = 1; times <= 6; times += 1) {
    expect(await forward(deliveryOf({}, 60))).toMatchObject({ errorCode: 'TimeoutError' });
  }
});

test('a delivery that comes when Chat has given up is still sent, but waits only shortly for the answer', async () => {
  backend.respond = () => {};
  const result = await forwarder().forward(deliveryOf({}, -8_000));
  expect(result).toMatchObject({ failure: 'backendTimedOut' });
  expect(result.ms).toBeLessThan(1_000);
  expect(backend.requests).toHaveLength(1);
});

test('a delivery that this deployment has forwarded before is not sent again', async () => {
  const { forward } = forwarder();
  await forward(deliveryOf());
  const loop = backend.requests[0]?.headers.find((line) => line.startsWith('cdn-loop'))?.split(': ')[1] ?? '';
  expect(await forward(deliveryOf({ headers: { 'cdn-loop': `a, ${loop};v=1 , b` } }))).toEqual({
    failure: 'forwardLoop',
    ms: 0,
  });
  expect(backend.requests).toHaveLength(1);
  // Another deployment may be on the way.
  await createForwarder(`${backend.url}/hook`, 'another').forward(deliveryOf({ headers: { 'cdn-loop': loop } }));
  expect(backend.requests).toHaveLength(2);
});

describe('a kept connection', () => {
  let forward: Forwarder['forward'];
  beforeEach(async () => {
    ({ forward } = forwarder());
    await forward(deliveryOf());
  });

  test('serves the next delivery', async () => {
    await forward(deliveryOf());
    expect(backend.requests.map(({ connection }) => connection)).toEqual([1, 1]);
  });

  test('that the backend closes at the next delivery does not fail it', async () => {
    backend.respond = (socket, { connection }) =>
      connection === 1 ? socket.destroy() : OK_ANSWER(socket, backend.requests[0]!);
    expect(await forward(deliveryOf())).toMatchObject({ answer: { statusCode: 200 } });
    expect(backend.requests.map(({ connection }) => connection)).toEqual([1, 1, 2]);
  });

  test('that the backend closes twice fails the delivery', async () => {
    backend.respond = (socket) => socket.destroy();
    expect(await forward(deliveryOf())).toMatchObject({ failure: 'backendFailed', errorCode: 'ECONNRESET' });
    expect(backend.requests).toHaveLength(3);
  });

  test('that is cut within the answer fails the delivery, because the backend has handled it', async () => {
    backend.respond = (socket) => socket.end('HTTP/1.1 2');
    expect(await forward(deliveryOf())).toMatchObject({ failure: 'backendFailed' });
    expect(backend.requests).toHaveLength(2);
  });

  test('of a hanging answer is closed at the deadline', async () => {
    let isClosed = false;
    backend.respond = (socket) => socket.once('close', () => (isClosed = true));
    await forward(deliveryOf());
    expect(await until(() => isClosed)).toBe(true);
  });
});

import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { ThrottledError } from '../../../../infra/local/aws/function.ts';
import { startGateway } from '../../../../infra/local/aws/gateway.ts';
import type { Loopback } from '../../../../infra/local/aws/loopback.ts';
import { until } from '../../../until.ts';

let gateway: Loopback;
let events: APIGatewayProxyEventV2[];
let answer: (onStart: () => void) => Promise<unknown>;
beforeAll(async () => {
  gateway = await startGateway(
    { method: 'POST', path: '/webhook' },
    async (event, onStart = () => {}) => (events.push(event as APIGatewayProxyEventV2), answer(onStart)),
    0,
  );
});
afterAll(() => gateway.close());

/** Sends a request without changes. fetch would normalize it. */
async function send(
  method: string,
  target: string,
  headers: Record<string, string | string[]> = {},
  body: string | Buffer = '',
) {
  events = [];
  answer = async () => ({ statusCode: 200, headers: { 'content-type': 'text/plain' }, body: '好' });
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const sent = httpRequest(gateway.url, { method, path: target, headers }, async (response) =>
      resolve({ status: response.statusCode, body: await text(response) }),
    );
    sent.on('error', reject).end(body);
  });
}

describe('a request becomes API Gateway’s event:', () => {
  test('with the raw and the decoded query, and with repeated parameters joined by commas', async () => {
    await send('POST', '/webhook?a=1&a=%40TOA%23_%E6%96%B0&B=&c&a=x+y');
    expect(events[0]?.rawQueryString).toBe('a=1&a=%40TOA%23_%E6%96%B0&B=&c&a=x+y');
    expect(events[0]?.queryStringParameters).toEqual({ a: '1,@TOA#_新,x y', B: '', c: '' });
  });

  test('without parameters if there is no query', async () => {
    await send('POST', '/webhook');
    expect(events[0]).toMatchObject({ rawQueryString: '', isBase64Encoded: false });
    expect(events[0]).not.toHaveProperty('queryStringParameters');
    expect(events[0]).not.toHaveProperty('body');
  });

  test('with header names in lower case, repeated headers joined by commas, and separate cookies', async () => {
    await send('POST', '/webhook', { 'X-Two': ['1', '2'], Cookie: 'a=1; b=2' });
    expect(events[0]?.headers).toMatchObject({ 'x-two': '1,2' });
    expect(events[0]?.headers).not.toHaveProperty('cookie');
    expect(events[0]?.cookies).toEqual(['a=1', 'b=2']);
  });

  test.each([
    ['application/json', false],
    ['application/json; charset=utf-8', false],
    ['Text/Plain', false],
    ['application/xml', false],
    ['application/octet-stream', true],
    ['application/x-www-form-urlencoded', true],
    ['application/vnd.api+json', true],
    [undefined, true],
  ])('with a body of the content type %s in base64: %s', async (contentType, isBase64Encoded) => {
    await send('POST', '/webhook', contentType === undefined ? {} : { 'content-type': contentType }, '{"a":"新"}');
    expect(events[0]?.isBase64Encoded).toBe(isBase64Encoded);
    expect(Buffer.from(events[0]?.body ?? '', isBase64Encoded ? 'base64' : 'utf8').toString()).toBe('{"a":"新"}');
  });

  test('with address, time, method and path', async () => {
    const before = Date.now();
    await send('POST', '/webhook?a=1', { 'user-agent': 'me' });
    expect(events[0]).toMatchObject({ version: '2.0', routeKey: 'POST /webhook', rawPath: '/webhook' });
    const { http, time, timeEpoch, requestId, stage } = events[0]!.requestContext;
    expect(time).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
    expect(http).toEqual({
      method: 'POST',
      path: '/webhook',
      protocol: 'HTTP/1.1',
      sourceIp: '127.0.0.1',
      userAgent: 'me',
    });
    expect(timeEpoch).toBeGreaterThanOrEqual(before);
    expect(timeEpoch).toBeLessThanOrEqual(Date.now());
    expect(requestId).toMatch(/^[\da-f-]{36}$/);
    expect(stage).toBe('$default');
  });
});

/** Frees unused memory, so that only used memory counts. */
const collectGarbage = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

describe('the answer is', () => {
  test('that of the function', async () => {
    expect(await send('POST', '/webhook')).toEqual({ status: 200, body: '好' });
  });

  test.each(['http://127.0.0.1:3000', 'HTTPS://chat.example.com', 'http://user@[::1]'])(
    'that of the function for a target in absolute form with any host: %s',
    async (origin) => {
      expect(await send('POST', `${origin}/webhook?a=http://x/%2F?`)).toEqual({ status: 200, body: '好' });
      expect(events[0]).toMatchObject({ rawPath: '/webhook', rawQueryString: 'a=http://x/%2F?' });
    },
  );

  test.each(['at once', 'after 50 ms'])(
    'that of the function, for a client that has closed its side, %s',
    async (when) => {
      events = [];
      answer = async () => {
        if (when !== 'at once') await sleep(50);
        return { statusCode: 200, headers: { 'content-type': 'text/plain' }, body: '好' };
      };
      const { hostname, port } = new URL(gateway.url);
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
      socket.end(`POST /webhook HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 2\r\n\r\n{}`);
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*好/); // then the gateway closes its side
      expect(events).toHaveLength(1);
    },
  );

  test.each([
    ['GET', '/webhook'],
    ['PUT', '/webhook'],
    ['POST', '/'],
    ['POST', '/webhook/'],
    ['POST', '/Webhook?x=/webhook'],
    ['POST', 'http://127.0.0.1'],
    ['POST', 'http://127.0.0.1?/webhook'],
    ['GET', 'http://127.0.0.1/webhook'],
  ])('404 without a route: %s %s', async (method, target) => {
    expect(await send(method, target)).toEqual({ status: 404, body: '{"message":"Not Found"}' });
    expect(events).toEqual([]);
  });

  test('413 for more than 10 MB, and for an event of more than Lambda’s 6 MB', async () => {
    const tooLarge = { status: 413, body: '{"message":"Request Entity Too Large"}' };
    const sizes: [number, object][] = [
      [10_000_001, tooLarge],
      [4_800_000, tooLarge], // as base64
      [4_600_000, { status: 200, body: '好' }],
    ];
    for (const [bytes, expected] of sizes) {
      expect(await send('POST', '/webhook', {}, Buffer.alloc(bytes, 'a'))).toEqual(expected);
    }
  });

  test('413 as soon as the body is too large, and the rest does not stay in memory', async () => {
    events = [];
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    socket.write(`POST /webhook HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 1000000000\r\n\r\n`);
    socket.write(Buffer.alloc(10_000_001));
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(String(head)).toMatch(/^HTTP\/1.1 413 /);
    for (let megabytes = 0; megabytes < 200; megabytes += 1) {
      if (!socket.write(Buffer.alloc(1e6))) await once(socket, 'drain');
    }
    socket.destroy();
    // Node frees this memory in another thread. On a busy machine, one garbage collection is not enough.
    await until(() => {
      collectGarbage();
      return process.memoryUsage().arrayBuffers < 150e6 || undefined;
    });
    expect(events).toEqual([]);
  });

  test('429 if too many invocations wait', async () => {
    const replied = send('POST', '/webhook');
    answer = () => Promise.reject(new ThrottledError('on purpose'));
    expect(await replied).toEqual({ status: 429, body: '{"message":"Too Many Requests"}' });
  });

  test('a reply that contains the time of waiting for a local instance', async () => {
    const timing = async (waitMs: number) => {
      answer = async (onStart) => {
        if (waitMs > 0) await sleep(waitMs);
        onStart();
        return { statusCode: 200, body: '' };
      };
      return (await fetch(`${gateway.url}/webhook`, { method: 'POST' })).headers.get('server-timing');
    };
    const [, milliseconds] = /^instance;dur=(\d+)$/.exec((await timing(100)) ?? '') ?? [];
    expect(Number(milliseconds)).toBeGreaterThanOrEqual(99);
    expect(await timing(0)).toBeNull();
  });

  test('still sent to a running delivery when the gateway stops', async () => {
    const invoked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const stopping = await startGateway(
      { method: 'POST', path: '/webhook' },
      async () => {
        invoked.resolve();
        await released.promise;
        return { statusCode: 200, body: '好' };
      },
      0,
    );
    const reply = fetch(`${stopping.url}/webhook`, { method: 'POST' });
    await invoked.promise;
    const stopped = stopping.close();
    released.resolve();
    expect(await (await reply).text()).toBe('好');
    await stopped;
  });

  test.each<[number, Parameters<typeof startGateway>[1], string]>([
    [200, async () => ({ statusCode: 200, body: '好' }), '{}'],
    [500, () => Promise.reject(new Error('on purpose')), '{}'],
    [429, () => Promise.reject(new ThrottledError('on purpose')), '{}'],
    [413, async () => ({}), 'a'.repeat(10_000_001)],
  ])('seen by the observer as it is given, with the request ID of the event: %s', async (status, invoke, body) => {
    const seen: unknown[] = [];
    await using observed = new AsyncDisposableStack();
    const { url, close } = await startGateway({ method: 'POST', path: '/webhook' }, invoke, 0, (event, bytes) => {
      seen.push(event.requestContext.requestId, bytes?.length);
      return (reply) => seen.push(reply.status, reply.body.toString());
    });
    observed.defer(close);
    const reply = await fetch(`${url}/webhook`, { method: 'POST', body });
    const length = body.length > 10_000_000 ? undefined : body.length;
    expect(seen).toEqual([reply.headers.get('apigw-requestid'), length, status, await reply.text()]);
    await fetch(`${url}/other`, { method: 'POST' });
    expect(seen).toHaveLength(4);
  });

  test('500 if the function fails', async () => {
    const replied = send('POST', '/webhook');
    answer = () => Promise.reject(new Error('on purpose'));
    expect(await replied).toEqual({ status: 500, body: '{"message":"Internal Server Error"}' });
  });
});

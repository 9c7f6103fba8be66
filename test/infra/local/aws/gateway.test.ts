import { request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { startGateway } from '../../../../infra/local/aws/gateway.ts';
import type { Loopback } from '../../../../infra/local/aws/loopback.ts';

const ROUTE = { method: 'POST', path: '/webhook' };

let gateway: Loopback;
let events: APIGatewayProxyEventV2[];
/** What the observer gets: request ID, number of bytes, status and reply of each request. */
let observed: unknown[][];
let answer: () => Promise<unknown>;
beforeAll(async () => {
  gateway = await startGateway(
    ROUTE,
    async (event) => (events.push(event as APIGatewayProxyEventV2), answer()),
    0,
    ({ requestContext }, bytes) =>
      ({ status, body }) =>
        observed.push([requestContext.requestId, bytes?.length, status, body.toString()]),
  );
});
afterAll(() => gateway.close());
beforeEach(() => {
  [events, observed] = [[], []];
  answer = async () => ({ statusCode: 200, headers: { 'content-type': 'text/plain' }, body: '好' });
});

/** Sends a request without changes. fetch would normalize it. */
async function send(
  method: string,
  target: string,
  headers: Record<string, string | string[]> = {},
  body: string | Buffer = '',
) {
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const sent = httpRequest(gateway.url, { method, path: target, headers }, async (response) =>
      resolve({ status: response.statusCode, body: await text(response) }),
    );
    sent.on('error', reject).end(body);
  });
}

describe('a request becomes API Gateway’s event:', () => {
  test('with the raw and the decoded query, and with repeated parameters joined by commas', async () => {
    await send('POST', '/webhook?a=1&a=%40TOA%23_%E6%96%B0&B=&c&a=x+y&d=?');
    expect(events[0]?.rawQueryString).toBe('a=1&a=%40TOA%23_%E6%96%B0&B=&c&a=x+y&d=?');
    expect(events[0]?.queryStringParameters).toEqual({ a: '1,@TOA#_新,x y', B: '', c: '', d: '?' });
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

describe('the answer is', () => {
  test('that of the function', async () => {
    expect(await send('POST', '/webhook')).toEqual({ status: 200, body: '好' });
  });

  test.each([
    ['GET', '/webhook'],
    ['PUT', '/webhook'],
    ['POST', '/'],
    ['POST', '/webhook/'],
    ['POST', '/Webhook?x=/webhook'],
  ])('404 without a route: %s %s', async (method, target) => {
    expect(await send(method, target)).toEqual({ status: 404, body: '{"message":"Not Found"}' });
    expect(events).toEqual([]);
  });

  test('413 for more than 10 MB, and for an event of more than Lambda’s 6 MB', async () => {
    const tooLarge = { status: 413, body: '{"message":"Request Entity Too Large"}' };
    expect(await send('POST', '/webhook', {}, Buffer.alloc(10_000_001))).toEqual(tooLarge);
    expect(await send('POST', '/webhook', {}, Buffer.alloc(4_800_000))).toEqual(tooLarge); // as base64
    expect(await send('POST', '/webhook', {}, Buffer.alloc(4_600_000))).toEqual({ status: 200, body: '好' });
    // The observer does not get the first body, because the gateway does not read it to its end.
    expect(observed.map(([, bytes, status]) => [bytes, status])).toEqual([
      [undefined, 413],
      [4_800_000, 413],
      [4_600_000, 200],
    ]);
  });

  test('still sent to a running delivery when the gateway stops', async () => {
    const invoked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const invoke = async () => {
      invoked.resolve();
      await released.promise;
      return { statusCode: 200, body: '好' };
    };
    const stopping = await startGateway(ROUTE, invoke, 0);
    const reply = fetch(`${stopping.url}/webhook`, { method: 'POST' });
    await invoked.promise;
    const stopped = stopping.close();
    released.resolve();
    expect(await (await reply).text()).toBe('好');
    await stopped;
  });

  test('500 if the function fails', async () => {
    answer = () => Promise.reject(new Error('on purpose'));
    expect(await send('POST', '/webhook')).toEqual({ status: 500, body: '{"message":"Internal Server Error"}' });
  });

  test.each([200, 500])('seen by the observer as it is given, with the request ID: %s', async (status) => {
    if (status === 500) answer = () => Promise.reject(new Error('on purpose'));
    const reply = await fetch(`${gateway.url}/webhook`, { method: 'POST', body: '{}' });
    expect(observed).toEqual([[reply.headers.get('apigw-requestid'), 2, status, await reply.text()]]);
    await fetch(`${gateway.url}/other`, { method: 'POST' });
    expect(observed).toHaveLength(1);
  });
});

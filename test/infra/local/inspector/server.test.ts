import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Hello, News } from '../../../../infra/local/inspector/protocol.ts';
import { startFastInspector, type FastInspector } from '../../../fast-inspector.ts';
import { until } from '../../../until.ts';

let inspector: FastInspector;
beforeAll(async () => {
  inspector = await startFastInspector();
});
afterAll(() => inspector?.close());

const PAGES = ['/', '/main.ts', '/style.css', '/icon.svg', '/lit-html/lit-html.js', '/lit-html/directives/repeat.js'];
const PATHS = [...PAGES, '/deliveries', '/state', '/events', '/deployment', '/replay', '/send', '/none'];

function send(path: string, { method = 'GET', headers = {}, body = '' } = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
    const sent = httpRequest(inspector.inspectorUrl, { path, method, headers }, (response) => {
      const isStream = response.headers['content-type'] === 'text/event-stream';
      const received = isStream ? (response.destroy(), Promise.resolve('')) : text(response);
      received.then(
        (all) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: all }),
        reject,
      );
    });
    sent.on('error', reject).end(body);
  });
}

/** Reads the stream like a browser. */
async function openStream(lastEventId?: string) {
  const abort = new AbortController();
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  const { body } = await fetch(`${inspector.inspectorUrl}/deliveries`, { signal: abort.signal, headers });
  const stream = { hello: undefined as Hello | undefined, news: [] as News[], id: '', close: () => abort.abort() };
  const read = async () => {
    let rest = '';
    for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? 'null');
        if (block.includes('event: hello')) stream.hello = data;
        else stream.news.push(data);
        stream.id = /^id: (.*)$/m.exec(block)?.[1] ?? stream.id;
      }
    }
  };
  read().catch(() => {}); // close() aborts it
  await until(() => stream.news[0]);
  return stream;
}
const numbers = ({ news }: { news: News[] }) =>
  new Set(news.flatMap(({ deliveries }) => deliveries.map(({ number }) => number))).size;

describe('every path', () => {
  test.each(PATHS)('rejects a foreign Host and a foreign Origin: %s', async (path) => {
    const { host } = new URL(inspector.inspectorUrl);
    for (const method of ['GET', 'POST']) {
      for (const headers of [
        { host: 'example.com' },
        { host: 'rebound.example', origin: 'http://rebound.example' },
        { host, origin: 'https://example.com' },
        { host, origin: 'null' },
        { host, origin: 'http://127.0.0.1:1' },
      ]) {
        const { status, body } = await send(path, { method, headers });
        expect([headers, status]).toEqual([headers, 403]);
        expect(body).toContain('Forbidden');
      }
    }
  });

  test.each(PATHS.filter((path) => path !== '/events'))('allows only what the page needs: %s', async (path) => {
    const { headers } = await send(path);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
    const policy = String(headers['content-security-policy']).split('; ');
    expect(policy).toEqual(
      expect.arrayContaining(["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]),
    );
    expect(policy.join()).not.toMatch(/unsafe|\*|http|data:/);
  });
});

test('the page and lit-html are served, and no other file', async () => {
  for (const path of PAGES) expect(await send(path)).toMatchObject({ status: 200 });
  const types = await Promise.all(PAGES.map(async (path) => (await send(path)).headers['content-type']));
  expect(types.map((type) => String(type).split(';')[0])).toEqual([
    'text/html',
    'text/javascript',
    'text/css',
    'image/svg+xml',
    'text/javascript',
    'text/javascript',
  ]);
  expect((await send('/main.ts')).body).not.toMatch(/from 'lit-html/);
  for (const path of [
    '/server.ts',
    '/tsconfig.json',
    '/../server.ts',
    '/%2e%2e/server.ts',
    '/lit-html/../../package.json',
    '/lit-html/package.json',
    '/lit-html/directives/none.js',
    '/__proto__',
    '/constructor',
  ]) {
    expect([path, (await send(path)).status]).toEqual([path, 404]);
  }
});

describe('an action', () => {
  const body = JSON.stringify({ query: [['SdkAppid', '1400000000']], body: '{}' });
  const post = (path: string, headers: Record<string, string>, content = body) =>
    send(path, { method: 'POST', headers, body: content });

  test.each(['/send', '/replay'])('needs the token of the page: %s', async (path) => {
    const before = inspector.history.since(0).deliveries.length;
    const { hello, close } = await openStream();
    close();
    const token = hello?.actionToken ?? '';
    expect(token).toHaveLength(64);
    for (const wrong of ['', 'undefined', token.slice(1), `${token}0`, token.toUpperCase().replace(/./, 'x')]) {
      expect((await post(path, { 'x-inspector-token': wrong })).status).toBe(403);
    }
    expect((await post(path, {})).status).toBe(403);
    expect(inspector.history.since(0).deliveries).toHaveLength(before);
    if (path !== '/send') return;
    const answer = await post(path, { 'x-inspector-token': token });
    expect(answer.status).toBe(200);
    const { id } = JSON.parse(answer.body);
    expect(inspector.history.get(id)?.view.query).toMatch(/^SdkAppid=1400000000&Sign=[\da-f]{64}&RequestTime=\d+$/);
  });

  test('that makes no sense is answered with an error', async () => {
    const { hello, close } = await openStream();
    close();
    const headers = { 'x-inspector-token': hello?.actionToken ?? '' };
    for (const content of ['', 'null', '{}', '{"query":1}']) {
      const { status, body: answer } = await post('/send', headers, content);
      expect([content, status]).toEqual([content, 500]);
      expect(JSON.parse(answer)).toEqual({ error: expect.any(String) });
    }
    expect((await post('/replay', headers, '{"id":"none"}')).body).toContain('not in the history');
    expect((await send('/state', { method: 'DELETE' })).status).toBe(405);
  });
});

describe('the stream', () => {
  test('begins with the history, goes on with changes, and after a reconnection with the missed ones only', async () => {
    await inspector.deliver(150);
    const kept = inspector.history.since(0).oldest - 1 + 150;
    const stream = await openStream();
    await until(() => numbers(stream) >= kept || undefined);
    await inspector.deliver(10);
    await until(() => numbers(stream) >= kept + 10 || undefined);
    stream.close();
    await inspector.deliver(5);
    const again = await openStream(stream.id);
    await until(() => numbers(again) === 5 || undefined);
    await sleep(300);
    expect(numbers(again)).toBe(5);
    again.close();
    const ofAnotherRun = await openStream('0123:999999');
    await until(() => numbers(ofAnotherRun) > kept || undefined);
    ofAnotherRun.close();
  });

  test('waits for a page that does not read', async () => {
    const { hostname, port } = new URL(inspector.inspectorUrl);
    const socket = connect(Number(port), hostname);
    socket.write(`GET /deliveries HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
    const before = process.memoryUsage().rss;
    await inspector.deliver(2_000);
    await inspector.deliver(2_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
    socket.destroy();
  });

  test.each(['/deliveries', '/events'])('ends when the client closes the connection: %s', async (path) => {
    const { hostname, port } = new URL(inspector.inspectorUrl);
    for (const close of ['end', 'destroy'] as const) {
      const socket = connect(Number(port), hostname);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
      await once(socket, 'data');
      const closed = once(socket.resume(), 'close');
      socket[close]();
      await closed;
      expect(socket.destroyed).toBe(true);
    }
  });
});

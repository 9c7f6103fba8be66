import { createServer } from 'node:http';
import { request } from 'node:https';
import type { LookupFunction } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createAgents } from '../../../infra/cli/http.ts';
import { listen, type Loopback } from '../../../infra/local/aws/loopback.ts';
import { deadLettersProgram } from '../../../infra/operations/dead-letters.ts';
import { inProcess } from '../../in-process.ts';

let proxy: Loopback;
let connected: { host: string; authorization: string | undefined }[] = [];
beforeAll(async () => {
  const server = createServer().on('connect', async ({ url = '', headers }, socket) => {
    connected.push({ host: url, authorization: headers['proxy-authorization'] });
    await sleep(1_500); // longer than connections to this machine are kept
    socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
  });
  proxy = await listen(server, 0);
});
afterAll(() => proxy.close());

/** Calls a server. @returns the message of the error, which always comes. */
async function callError(env: Record<string, string>, url = 'https://hook.example.com'): Promise<string> {
  connected = [];
  const lookup: LookupFunction = (_host, _options, done) => done(new Error('not through the proxy'), []);
  const sent = request(url, { agent: createAgents(env)['https:'], lookup });
  const failed = new Promise<Error>((resolve) => void sent.on('error', resolve));
  sent.end();
  return (await failed).message;
}

test.each<[string, () => Record<string, string>]>([
  ['in lower case, which wins', () => ({ https_proxy: proxy.url, HTTPS_PROXY: 'http://127.0.0.1:1' })],
  ['without http://', () => ({ HTTPS_PROXY: new URL(proxy.url).host })],
])('the variable of the proxy may be %s, and the proxy may take its time', async (_how, env) => {
  expect(await callError(env())).toContain('407 Proxy Authentication Required');
  expect(connected).toEqual([{ host: 'hook.example.com:443', authorization: undefined }]);
});

test.each(['NO_PROXY', 'no_proxy'])('%s excepts hosts', async (name) => {
  expect(await callError({ HTTPS_PROXY: proxy.url, [name]: 'a.example,.example.com' })).toBe('not through the proxy');
  expect(connected).toEqual([]);
});

test('this machine is called directly', async () => {
  expect(await callError({ HTTPS_PROXY: proxy.url }, 'https://localhost')).toBe('not through the proxy');
  expect(connected).toEqual([]);
});

test('the variable of the proxy may contain a password, which no error shows', async () => {
  const message = await callError({ HTTPS_PROXY: proxy.url.replace('://', '://operator:secret@') });
  expect(message).toContain('407');
  expect(message).not.toContain('secret');
  expect(connected).toMatchObject([{ authorization: `Basic ${btoa('operator:secret')}` }]);
});

test('another kind of proxy ends a command, which does not show the password', async () => {
  const env = { HTTPS_PROXY: 'socks5://operator:secret@127.0.0.1:1' };
  expect(await inProcess(deadLettersProgram, ['list', '--stack', 'Any'], env)).toEqual({
    code: 2,
    stdout: '',
    stderr: '$HTTPS_PROXY must be the URL of an HTTP proxy, for example http://proxy.example.com:3128\nSee --help.\n',
  });
});

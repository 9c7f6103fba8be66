import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { LOCAL_URL } from '../../../infra/local/chat.ts';
import { listen } from '../../../infra/local/aws/loopback.ts';
import { httpDelivery, post } from '../../delivery.ts';
import { startLocalReceiver } from '../../local-receiver.ts';
import { command, program, ROOT, signalGroup } from '../../program.ts';
import { until } from '../../until.ts';

const start = (...args: string[]) => program('infra/local/main.ts', args).ended;

test('the documented sample is delivered, and its record shown', async () => {
  const receiver = await startLocalReceiver();
  const { stdout } = receiver.output;
  expect(stdout).toContain('"Official_Account": "@TOA#_test_OA_for_penn"');
  expect(stdout).toContain('Reply: HTTP 200');
  expect(stdout).toContain('{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}');
  expect(stdout).toContain('"officialAccountId": "@TOA#_test_OA_for_penn"');
  expect(await receiver.records()).toMatchObject([{ eventTime: 1670574414123, name: 'TestOfficialAccount' }]);
  await receiver.stop();
});

test('it listens where the sender sends by default', async () => {
  const receiver = await startLocalReceiver();
  expect(new URL(receiver.url).pathname).toBe(new URL(LOCAL_URL).pathname);
  await receiver.stop();
});

test.each<[string, (npm: ChildProcess) => void]>([
  ['Ctrl-C', (npm) => signalGroup(npm, 'SIGINT')],
  ['Ctrl-C, and again', (npm) => (signalGroup(npm, 'SIGINT'), setTimeout(() => signalGroup(npm, 'SIGINT'), 5))],
  ['SIGINT to npm alone', (npm) => npm.kill('SIGINT')],
  ['SIGTERM to npm alone', (npm) => npm.kill('SIGTERM')],
])('npm start: %s ends all of it with exit code 0', async (_what, stop) => {
  const { child, output, ended } = command('npm', ['start', '--', '--port', '0']);
  await until(() => (output.stdout.includes('Serving.') ? true : undefined));
  const [, url = ''] = /Listening on (\S+)/.exec(output.stdout) ?? [];
  stop(child);
  expect((await ended).code).toBe(0);
  expect(output.stdout).toContain('Stopping.');
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it within a second with exit code 0', async (signal) => {
  const receiver = await startLocalReceiver();
  const request = fetch(receiver.url, { method: 'POST' }).then((response) => response.text());
  await request; // its connection is kept open
  const start = performance.now();
  expect(await receiver.stop(signal)).toMatchObject({ code: 0 });
  expect(performance.now() - start).toBeLessThan(1_000);
});

test('with --data-dir the table outlives the receiver, without it doesn’t', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'data-dir-'));
  const deliverAndCount = async (id: string, ...args: string[]) => {
    const receiver = await startLocalReceiver(...args);
    await post(
      receiver.url,
      httpDelivery(({ payload }) => (payload['Official_Account'] = id)),
    );
    const { length } = await receiver.records();
    await receiver.stop();
    return length;
  };
  try {
    expect(await deliverAndCount('a', '--data-dir', directory)).toBe(2); // with the sample
    expect(await deliverAndCount('b', '--data-dir', directory)).toBe(3);
    expect(await deliverAndCount('c')).toBe(2);
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 90_000);

test('a --data-dir that can’t be used is named, with the reason', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'data-dir-'));
  const receiver = await startLocalReceiver('--data-dir', directory);
  try {
    const file = join(ROOT, 'package.json');
    for (const [unusable, reason] of [
      [file, 'EEXIST'],
      [directory, 'lock'],
      ['/proc/nowhere/x', 'ENOENT'],
    ] as const) {
      const { code, stderr } = await start('--port', '0', '--data-dir', unusable);
      expect(stderr).toContain(`--data-dir '${unusable}' can't be used: `);
      expect(stderr).toContain(reason);
      expect(stderr).not.toMatch(/^ +at /m);
      expect(code).toBe(2);
    }
  } finally {
    await receiver.stop();
    rmSync(directory, { recursive: true });
  }
}, 120_000);

test('a port that is taken is named, with what to do', async () => {
  const other = await listen(createServer(), 0);
  const { port } = new URL(other.url);
  const { code, stderr } = await start('--port', port);
  expect(code).toBe(2);
  expect(stderr).toBe(
    `port ${port} is taken: end what listens there, or choose another port with --port\nSee --help.\n`,
  );
  await other.close();
});

test.each([
  [['--port', 'x'], "--port is 'x', but must be a whole number from 0 to 65535"],
  [['--port', '65536'], "--port is '65536', but must be a whole number from 0 to 65535"],
  [['--token', ''], '--token is empty'],
  [['--nonsense'], "Unknown option '--nonsense'"],
  [['-c', 'sdkAppId'], "--context is 'sdkAppId', but must be NAME=VALUE"],
  [['-c', 'sdkAppId=x', '-c', 'authentication=y'], "- authentication is 'y', but must be 'token' or 'off'"],
])('options that make no sense end it with exit code 2 and no stack trace: %j', async (args, message) => {
  const { code, stderr } = await start(...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/^ +at /m);
});

test('--help says what there is, with the defaults', async () => {
  const { code, stdout } = await start('--help');
  expect(code).toBe(0);
  for (const text of ['--port', '3000', '--data-dir', '--token', 'xxxxyyyy', '--context'])
    expect(stdout).toContain(text);
});

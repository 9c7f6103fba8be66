import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DeleteTableCommand, waitUntilTableNotExists } from '@aws-sdk/client-dynamodb';
import { Level } from 'level';
import { dynamoDbClient } from '../../../infra/local/aws/dynamodb.ts';
import { LOCAL_URL } from '../../../infra/local/chat.ts';
import { listen } from '../../../infra/local/aws/loopback.ts';
import { httpDelivery, post } from '../../delivery.ts';
import { OperationError } from '../../../infra/cli/errors.ts';
import { prepareDataDirectory } from '../../../infra/local/data-directory.ts';
import { startProgram } from '../../../infra/local/main.ts';
import { featureFlags } from '../../../infra/local/synthesize.ts';
import { readAssembly } from '../../../infra/local/template.ts';
import { synthesizeOnce } from '../../assemblies.ts';
import { inProcess } from '../../in-process.ts';
import { LOCAL_OPTIONS, startLocalReceiver, startSynthesizing, type LocalReceiver } from '../../local-receiver.ts';
import { command, program, ROOT, signalGroup } from '../../program.ts';
import { until } from '../../until.ts';

const start = (...args: string[]) => program('infra/local/main.ts', args).ended;

test('the stack is synthesized, the documented sample is delivered, and its record shown', async () => {
  await using receiver = await startSynthesizing();
  const { stdout } = receiver.output;
  expect(stdout).toContain('"Official_Account": "@TOA#_test_OA_for_penn"');
  expect(stdout).toContain('Reply: HTTP 200');
  expect(stdout).toContain('{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}');
  expect(stdout).toContain('"officialAccountId": "@TOA#_test_OA_for_penn"');
  expect(stdout).toMatch(/&Sign=…&RequestTime=\d+/);
  expect(await receiver.records()).toMatchObject([{ eventTime: 1670574414123, name: 'TestOfficialAccount' }]);
  expect(new URL(receiver.url).pathname).toBe(new URL(LOCAL_URL).pathname); // where the sender sends by default
});

test.each<[string, (npm: ChildProcess) => void]>([
  ['Ctrl-C', (npm) => signalGroup(npm, 'SIGINT')],
  ['Ctrl-C, and again', (npm) => (signalGroup(npm, 'SIGINT'), setTimeout(() => signalGroup(npm, 'SIGINT'), 5))],
  ['SIGINT to npm alone', (npm) => npm.kill('SIGINT')],
  ['SIGTERM to npm alone', (npm) => npm.kill('SIGTERM')],
])('npm start: %s ends all of it with exit code 0', async (_what, stop) => {
  const { child, output, ended } = command('npm', ['start', '--', '--port', '0', ...LOCAL_OPTIONS]);
  await until(() => output.stdout.includes('Serving.') || undefined);
  const [, url = ''] = /Listening on (\S+)/.exec(output.stdout) ?? [];
  stop(child);
  expect((await ended).code).toBe(0);
  expect(output.stdout).toContain('Stopping.');
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends it with exit code 0, though a connection is kept open',
  async (signal) => {
    await using receiver = await startLocalReceiver();
    const request = fetch(receiver.url, { method: 'POST' }).then((response) => response.text());
    await request; // its connection is kept open
    const start = performance.now();
    expect(await receiver.stop(signal)).toMatchObject({ code: 0 });
    expect(performance.now() - start).toBeLessThan(4_000); // Node closes such a connection after 5 s
  },
);

test('with --data-dir the table outlives the receiver, without it doesn’t', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'data-dir-'));
  const deliverAndCount = async (id: string, ...args: string[]) => {
    await using receiver = await startLocalReceiver(...args);
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
});

/** Where there is no table, every delivery is parked. */
async function dropTable({ dynamoDbUrl, tableName }: LocalReceiver): Promise<void> {
  const client = dynamoDbClient(dynamoDbUrl);
  await client.send(new DeleteTableCommand({ TableName: tableName }));
  await waitUntilTableNotExists({ client, minDelay: 1, maxDelay: 1, maxWaitTime: 30 }, { TableName: tableName });
  client.destroy();
}

/** Delivers to a receiver whose table is gone. @returns the IDs of what was answered OK: on a busy machine not of all. */
async function park(receiver: LocalReceiver, ...ids: string[]): Promise<string[]> {
  const replies = ids.map(async (id) => {
    const delivery = httpDelivery(({ payload }) => (payload['Official_Account'] = id));
    return (await post(receiver.url, delivery)).status === 200 ? [id] : [];
  });
  return (await Promise.all(replies)).flat();
}

test.each(['SIGINT', 'SIGKILL'] as const)(
  'with --data-dir what was parked outlives %s, and is stored by the next receiver',
  async (signal) => {
    const directory = join(mkdtempSync(join(tmpdir(), 'data-dir-')), 'made/with/parents');
    try {
      await using first = await startLocalReceiver('--data-dir', directory);
      await dropTable(first);
      const parked = await park(first, ...Array.from({ length: 20 }, (_, n) => `@TOA#_parked_${n}`));
      expect(parked.length).toBeGreaterThan(10);
      const { stdout } = await first.stop(signal);
      if (signal === 'SIGINT') {
        const [, place, number] = /\nLeft in the queues in (.*): (\d+) to retry, 0 dead-lettered\./.exec(stdout) ?? [];
        expect(Number(number)).toBeGreaterThanOrEqual(parked.length);
        expect(place).toBe(directory);
      }
      await using second = await startLocalReceiver('--data-dir', directory);
      await until(async () => {
        const ids = new Set((await second.records()).map(({ officialAccountId }) => officialAccountId));
        return parked.every((id) => ids.has(id)) || undefined;
      });
      const events = () => second.output.stdout.split('\n').filter((line) => line.startsWith('event '));
      await until(() => parked.every((id) => events().some((event) => event.includes(`"${id}"`))) || undefined);
      // A message leaves the queue once the function has answered for its whole batch, which is after its log lines.
      const redriven = () => second.log().filter(({ message }) => message === 'redrive').length;
      await until(() => redriven() >= parked.length || undefined);
      await sleep(1_000);
      expect((await second.stop()).stdout).not.toContain('Left in the queues');
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
);

test('a dead letter is stored as well', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'data-dir-'));
  await using receiver = await startLocalReceiver('--data-dir', directory);
  await post(
    receiver.url,
    httpDelivery(({ payload }) => delete payload['Name']),
  );
  expect((await receiver.stop()).stdout).toContain(
    `\nStopping.\nLeft in the queues in ${directory}: 0 to retry, 1 dead-lettered.`,
  );
  rmSync(directory, { recursive: true });
});

test('without --data-dir what was parked is gone at the end, and its number is said', async () => {
  await using receiver = await startLocalReceiver();
  let parked: string[] = [];
  await dropTable(receiver);
  while (parked.length === 0) parked = await park(receiver, 'a');
  expect((await receiver.stop()).stdout).toMatch(
    /\nLeft in the queues: 1 to retry, 0 dead-lettered\. They are lost, because .*: see --data-dir\.\n$/,
  );
});

test('a relative --data-dir is meant from where the user stands', async () => {
  const { stdout, stderr } = await program('infra/local/main.ts', ['--port', '0', '--data-dir', 'package.json'], {
    INIT_CWD: ROOT,
  }).ended;
  expect([stdout, stderr]).toEqual(['', expect.stringContaining(`'${join(ROOT, 'package.json')}' can't be used`)]);
});

test.each<[string, (directory: string) => void]>([
  ['its table', (directory) => writeFileSync(join(directory, 'CURRENT'), 'MANIFEST-999999\n')],
  ['its queues', (directory) => writeFileSync(join(directory, 'queues', 'CURRENT'), 'nonsense')],
  [
    'its table’s items',
    (directory) => {
      for (const name of readdirSync(directory).filter((file) => file.endsWith('.ldb'))) {
        const bytes = readFileSync(join(directory, name));
        writeFileSync(join(directory, name), bytes.fill(0x7a, Math.floor(bytes.length / 3)));
      }
    },
  ],
])('a --data-dir in which %s is damaged is named, without a stack trace', async (_what, damage) => {
  const directory = mkdtempSync(join(tmpdir(), 'data-dir-'));
  try {
    await prepareDataDirectory(directory);
    const files = new Level<string, object>(directory, { valueEncoding: 'json' });
    // As much as makes LevelDB write files that it does not mend by itself.
    for (let n = 0; n < 100; n += 1) await files.put(`key ${n}`, { name: randomBytes(50_000).toString('hex') });
    await files.close();
    damage(directory);
    const { code, stderr } = await start('--port', '0', '--data-dir', directory);
    expect(stderr).toContain(`--data-dir '${directory}' can't be used: `);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(code).toBe(2);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a --data-dir that can’t be used is named, with the reason', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'data-dir-'));
  await using receiver = await startLocalReceiver('--data-dir', directory);
  try {
    const file = join(ROOT, 'package.json');
    for (const [unusable, reason] of [
      [file, 'EEXIST'],
      [directory, 'another process uses it'],
      ['/proc/nowhere/x', 'ENOENT'],
    ] as const) {
      const { code, stdout, stderr } = await start('--port', '0', '--data-dir', unusable);
      expect(stdout).toBe(''); // before the seconds of synthesis
      expect(stderr).toContain(`--data-dir '${unusable}' can't be used: `);
      expect(stderr).toContain(reason);
      expect(stderr).not.toMatch(/^ +at /m);
      expect(code).toBe(2);
    }
  } finally {
    await receiver.stop();
    rmSync(directory, { recursive: true });
  }
});

test.each(['--port', '--inspector-port'])('a port that is taken is named, with what to do: %s', async (option) => {
  const other = await listen(createServer(), 0);
  const { port } = new URL(other.url);
  const { code, stdout, stderr } = await start('--port', '0', option, port);
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toBe(
    `port ${port} is in use: end the program that uses it, or choose another port with ${option}\nSee --help.\n`,
  );
  await other.close();
});

test('a port, or a data directory, that is taken during the synthesis is named as well, without a stack trace', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'data-dir-'));
  const free = await listen(createServer(), 0);
  const { port } = new URL(free.url);
  await free.close();
  const begin = async (...args: string[]) => {
    const begun = program('infra/local/main.ts', args);
    await until(() => begun.output.stdout.includes('Synthesizing') || undefined);
    return begun;
  };
  const { ended: withoutPort } = await begin('--port', port, '--inspector-port', '0');
  const other = await listen(createServer(), Number(port));
  expect(await withoutPort).toMatchObject({
    code: 2,
    stderr: `port ${port} is in use: end the program that uses it, or choose another port with --port\nSee --help.\n`,
  });
  await other.close();

  const { ended: withoutDirectory } = await begin('--port', '0', '--data-dir', directory);
  const receiver = [directory, join(directory, 'queues')].map((path) => new Level(path));
  await Promise.all(receiver.map((files) => files.open()));
  expect(await withoutDirectory).toMatchObject({
    code: 2,
    stderr: `--data-dir '${directory}' can't be used: another process uses it\nSee --help.\n`,
  });
  await Promise.all(receiver.map((files) => files.close()));
  rmSync(directory, { recursive: true });
});

test.each([
  [['--port', 'x'], "option '--port <port>' argument 'x' is invalid. It must be a whole number from 0 to 65535."],
  [['--port', '65536'], "'65536' is invalid. It must be a whole number from 0 to 65535."],
  [['--token', ''], "option '--token <token>' argument '' is invalid. It must not be empty."],
  [['--data-dir', ''], "option '--data-dir <dir>' argument '' is invalid. It must not be empty."],
  [['--nonsense'], "unknown option '--nonsense'"],
  [['-c', 'sdkAppId'], "'sdkAppId' is invalid. It must be name=value."],
  [['--app', 'cdk.out', '-c', 'a=b'], "option '--app <dir>' cannot be used with option '-c, --context <name=value>'"],
])('options that make no sense end it with exit code 2 and no stack trace: %j', async (args, message) => {
  const { code, stdout, stderr } = await inProcess(startProgram, args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(message);
});

test('a context that makes no sense ends it with exit code 2 and no stack trace', async () => {
  const { code, stderr } = await start('-c', 'sdkAppId=x', '-c', 'authentication=y');
  expect(code).toBe(2);
  expect(stderr).toContain("- authentication is 'y', but must be 'token' or 'off'");
  expect(stderr).not.toMatch(/^ +at /m);
});

test('a temporary directory that can’t be used is named, without a stack trace', async () => {
  const { code, stderr } = await program('infra/local/main.ts', ['--port', '0'], { TMPDIR: '/proc/nowhere' }).ended;
  expect(stderr).toMatch(/^the temporary directory \(\$TMPDIR\) can't be used: ENOENT.*\n$/);
  expect(code).toBe(1);
});

test('a cloud assembly that is none, or does not say where the bundles are, is named', () => {
  const directory = mkdtempSync(join(tmpdir(), 'assembly-test-'));
  const read = () => readAssembly(directory);
  const failure = (message: string) =>
    expect.objectContaining({ constructor: OperationError, message: expect.stringContaining(message) });
  expect(read).toThrow(failure(`${directory} must contain one *.template.json of cdk synth, but contains 0`));
  const template = readFileSync(join(synthesizeOnce({}), 'TencentChatWebhook.template.json'), 'utf8');
  writeFileSync(join(directory, 'a.template.json'), template.replaceAll('aws:asset:path', 'other'));
  expect(read).toThrow(failure(`${directory} does not contain the paths of the functions' bundles`));
  writeFileSync(join(directory, 'b.template.json'), '{}');
  expect(read).toThrow(failure('but contains 2'));
  rmSync(directory, { recursive: true });
  expect(read).toThrow(failure(`${directory} can't be read: ENOENT`));
});

test('a cdk.json that can’t be read, or holds no object, is named, without a stack trace', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cdk-json-'));
  const file = join(directory, 'cdk.json');
  for (const content of ['nonsense', 'null', '5']) {
    writeFileSync(file, content);
    expect(() => featureFlags(file)).toThrow(
      expect.objectContaining({
        constructor: OperationError,
        message: expect.stringContaining(`${file} can't be read: `),
      }),
    );
  }
  for (const content of ['{}', '{"context":null}']) {
    writeFileSync(file, content);
    expect(featureFlags(file)).toEqual({});
  }
  rmSync(directory, { recursive: true });
});

describe('nothing stays in the temporary directory', () => {
  let temporary: string;
  beforeEach(() => {
    temporary = mkdtempSync(join(tmpdir(), 'main-test-'));
  });
  afterEach(() => rmSync(temporary, { recursive: true }));

  test.each([0, 500, 1_500])('where Ctrl-C comes %s ms into the synthesis', async (milliseconds) => {
    const { child, output, ended } = program('infra/local/main.ts', ['--port', '0'], { TMPDIR: temporary });
    await until(() => output.stdout.includes('Synthesizing') || undefined);
    await sleep(milliseconds);
    signalGroup(child, 'SIGINT');
    expect(await ended).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/\nStopping\.\n$/) });
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('where nobody reads the output any more', async () => {
    const { ended } = command('sh', ['-c', '"$NODE" infra/local/main.ts --port 0 | head -3'], {
      NODE: process.execPath,
      TMPDIR: temporary,
    });
    expect((await ended).stderr).toBe('');
    expect(readdirSync(temporary)).toEqual([]);
  });
});

test('the sample is delivered without a proxy', async () => {
  const proxy = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:1', http_proxy: 'http://127.0.0.1:1' };
  const { child, output, ended } = program('infra/local/main.ts', ['--port', '0', ...LOCAL_OPTIONS], {
    ...proxy,
    NO_PROXY: '',
  });
  await Promise.race([until(() => output.stdout.includes('Serving.') || undefined), ended]);
  child.kill('SIGINT');
  expect((await ended).stdout).toContain('Reply: HTTP 200');
});

test('--help says what there is, with the defaults', async () => {
  const { code, stdout } = await start('--help');
  expect(code).toBe(0);
  for (const text of ['--port', '3000', '--inspector-port', '--data-dir', '--token', 'xxxxyyyy', '--context'])
    expect(stdout).toContain(text);
});

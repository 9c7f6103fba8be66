import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Level } from 'level';
import { LOCAL_URL } from '../../../infra/local/chat.ts';
import { listen } from '../../../infra/local/aws/loopback.ts';
import { OperationError } from '../../../infra/cli/errors.ts';
import { startProgram } from '../../../infra/local/main.ts';
import { featureFlags } from '../../../infra/local/synthesize.ts';
import { readAssembly } from '../../../infra/local/template.ts';
import { synthesizeOnce } from '../../assemblies.ts';
import { post } from '../../delivery.ts';
import { inProcess } from '../../in-process.ts';
import {
  LOCAL_OPTIONS,
  startLocalReceiver,
  TIME_OPTIONS,
  whenServing,
  type LocalReceiver,
} from '../../local-receiver.ts';
import { command, program, ROOT, signalGroup } from '../../program.ts';
import { until } from '../../until.ts';

const temporaryDirectory = () => mkdtempSync(join(tmpdir(), 'main-test-'));
const npmStart = (args: string[], env: Record<string, string> = {}) =>
  command('npm', ['start', '--', '--port', '0', ...args], env);

describe('npm start', () => {
  const temporary = temporaryDirectory();
  let npm: ReturnType<typeof command>;
  let receiver: LocalReceiver;
  beforeAll(async () => {
    npm = npmStart(TIME_OPTIONS, { TMPDIR: temporary });
    receiver = await whenServing(npm);
  });

  test('synthesizes the stack, delivers the documented sample and shows its record', async () => {
    const { stdout } = receiver.output;
    expect(stdout).toContain('"Official_Account": "@TOA#_test_OA_for_penn"');
    expect(stdout).toContain('Reply: HTTP 200');
    expect(stdout).toContain('{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}');
    expect(stdout).toContain('"officialAccountId": "@TOA#_test_OA_for_penn"');
    expect(stdout).toMatch(/&Sign=…&RequestTime=\d+/);
    expect(await receiver.records()).toMatchObject([{ eventTime: 1670574414123, name: 'TestOfficialAccount' }]);
    expect(new URL(receiver.url).pathname).toBe(new URL(LOCAL_URL).pathname); // where the sender sends by default
  });

  test('ends with exit code 0 after Ctrl-C, says what is lost, and leaves no files', async () => {
    await post(receiver.url, ({ payload }) => delete payload['Name']);
    await fetch(receiver.eventsUrl); // this stream stays open, as in a browser
    signalGroup(npm.child, 'SIGINT');
    expect(await npm.ended).toMatchObject({ code: 0, stderr: '' });
    expect(npm.output.stdout).toMatch(
      /\nStopping\.\nLeft in the queues: 0 to retry, 1 dead-lettered\. They are lost, because .*: see --data-dir\.\n$/,
    );
    await expect(fetch(receiver.url)).rejects.toThrow('fetch failed');
    expect(readdirSync(temporary)).toEqual([]);
  });
});

test('with --data-dir, table and queues outlive SIGTERM to npm alone', async () => {
  const directory = join(temporaryDirectory(), 'made/with/parents');
  const npm = npmStart([...LOCAL_OPTIONS, '--data-dir', directory]);
  const first = await whenServing(npm);
  await post(first.url, ({ payload }) => (payload['Official_Account'] = 'kept'));
  await post(first.url, ({ payload }) => delete payload['Name']);
  const left = `\nStopping.\nLeft in the queues in ${directory}: 0 to retry, 1 dead-lettered.`;
  expect(await first.stop('SIGTERM')).toMatchObject({ code: 0, stdout: expect.stringContaining(left) });

  await using second = await startLocalReceiver('--data-dir', directory);
  expect(await second.records()).toHaveLength(2); // with the sample
  expect((await second.stop()).stdout).toContain(left);
});

test('Ctrl-C during the synthesis ends it with exit code 0, and leaves no files', async () => {
  const temporary = temporaryDirectory();
  const { child, ended } = program('infra/local/main.ts', ['--port', '0'], { TMPDIR: temporary });
  // It also ends the bundler, which writes its first file here.
  await until(() => readdirSync(temporary, { recursive: true }).some((path) => String(path).endsWith('bundle')));
  signalGroup(child, 'SIGINT');
  expect(await ended).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/\nStopping\.\n$/) });
  expect(readdirSync(temporary)).toEqual([]);
});

test('a context that makes no sense ends it with exit code 2 and no stack trace', async () => {
  const { code, stderr } = await program('infra/local/main.ts', ['-c', 'sdkAppId=x', '-c', 'authentication=y']).ended;
  expect(code).toBe(2);
  expect(stderr).toContain("- authentication is 'y', but must be 'token' or 'off'");
  expect(stderr).not.toMatch(/^ +at /m);
});

test.each([
  [['--port', 'x'], "option '--port <port>' argument 'x' is invalid. It must be a whole number from 0 to 65535."],
  [['--token', ''], "option '--token <token>' argument '' is invalid. It must not be empty."],
  [['--data-dir', ''], "option '--data-dir <dir>' argument '' is invalid. It must not be empty."],
  [['-c', 'sdkAppId'], "'sdkAppId' is invalid. It must be name=value."],
  [['--app', 'cdk.out', '-c', 'a=b'], "option '--app <dir>' cannot be used with option '-c, --context <name=value>'"],
])('options that make no sense end it with exit code 2: %j', async (args, message) => {
  const { code, stdout, stderr } = await inProcess(startProgram, args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(message);
});

test('a --data-dir that can’t be used is named before the synthesis, with the reason', async () => {
  const locked = temporaryDirectory();
  const files = new Level(locked);
  await files.open();
  for (const [directory, named, reason] of [
    ['package.json', join(ROOT, 'package.json'), 'EEXIST: '],
    [locked, locked, 'another process uses it'],
  ] as const) {
    const { code, stdout, stderr } = await inProcess(startProgram, ['--port', '0', '--data-dir', directory], {
      INIT_CWD: ROOT, // npm's variable for the user's working directory
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`--data-dir '${named}' can't be used: ${reason}`);
  }
  await files.close();
});

test.each(['--port', '--inspector-port'])('a port that is taken is named before the synthesis: %s', async (option) => {
  const other = await listen(createServer(), 0);
  const { port } = new URL(other.url);
  expect(await inProcess(startProgram, ['--port', '0', option, port])).toEqual({
    code: 2,
    stdout: '',
    stderr: `port ${port} is in use: end the program that uses it, or choose another port with ${option}\nSee --help.\n`,
  });
  await other.close();
});

/** Matches an error that is printed without a stack trace. */
const failure = (message: string) =>
  expect.objectContaining({ constructor: OperationError, message: expect.stringContaining(message) });

test('a cloud assembly that is none, or does not say where the bundles are, is named', () => {
  const directory = temporaryDirectory();
  const read = () => readAssembly(directory);
  expect(read).toThrow(failure(`${directory} must contain one *.template.json of cdk synth, but contains 0`));
  const template = readFileSync(join(synthesizeOnce({}), 'TencentChatWebhook.template.json'), 'utf8');
  writeFileSync(join(directory, 'a.template.json'), template.replaceAll('aws:asset:path', 'other'));
  expect(read).toThrow(failure(`${directory} does not contain the paths of the functions' bundles`));
  writeFileSync(join(directory, 'b.template.json'), '{}');
  expect(read).toThrow(failure('but contains 2'));
  rmSync(directory, { recursive: true });
  expect(read).toThrow(failure(`${directory} can't be read: ENOENT`));
});

test.each(['nonsense', 'null'])('a cdk.json that can’t be read, or contains no object, is named: %s', (content) => {
  const file = join(temporaryDirectory(), 'cdk.json');
  writeFileSync(file, content);
  expect(() => featureFlags(file)).toThrow(failure(`${file} can't be read: `));
});

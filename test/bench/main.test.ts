import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { program } from '../program.ts';
import { specOf } from '../deployment.ts';
import { bundleContestants } from './contestants.ts';
import { allowsCpuShares } from './cpu-share.ts';
import { startEndpoint, type Endpoint } from './endpoint.ts';
import { MEMORY_MB, runInstance } from './instance.ts';

let scratch: string;
let bundled: Awaited<ReturnType<typeof bundleContestants>>;
let endpoint: Endpoint;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'tencent-chat-bench-'));
  bundled = await bundleContestants(scratch, specOf());
  endpoint = await startEndpoint(scratch);
});
afterAll(() => {
  endpoint?.stop();
  bundled?.dispose();
  rmSync(scratch, { recursive: true });
});

test.each([
  ['floor', {}],
  ['plain', { UpdateItem: 21 }],
  ['same', { UpdateItem: 21, GetSecretValue: 1 }],
  ['ours', { UpdateItem: 21, GetSecretValue: 1, 'GET /': 1 }], // GET / opens the connection during init
] as const)('%s does its work: one write for each delivery, or none at all', async (name, expected) => {
  const run = await runInstance(bundled.contestants[name], endpoint, { warmUp: 1, deliveries: 20, isSlow: true });
  expect(run.requests).toEqual(expected);
  expect(run.end.cpuUs).toBeGreaterThan(run.start.cpuUs);
  expect([run.peakBytes > 20e6, run.peakBytes < 150e6]).toEqual([true, true]); // this process has more
});

test('a forwarded delivery is one request to the backend, and no write', async () => {
  const environment = { ...bundled.contestants.ours.environment, FORWARD_URL: `${endpoint.url}/hook` };
  const options = { warmUp: 1, deliveries: 20, isForwarded: true, isSlow: true };
  const { requests } = await runInstance({ ...bundled.contestants.ours, environment }, endpoint, options);
  expect(requests).toEqual({ 'POST /hook': 21, GetSecretValue: 1, 'GET /': 1 });
  // Without the URL, the receiver answers itself.
  await expect(runInstance(bundled.contestants.ours, endpoint, options)).rejects.toThrow('ours made {');
});

test.each(['same', 'ours'] as const)('%s is not measured if it rejects the delivery', async (name) => {
  const contestant = bundled.contestants[name];
  const ofAnotherApp = { ...contestant, environment: { ...contestant.environment, SDK_APP_ID: '2' } };
  await expect(runInstance(ofAnotherApp, endpoint)).rejects.toThrow(/ErrorCode.*120001/);
  const another = await startEndpoint(mkdtempSync(join(scratch, 'another-')), 'another token');
  await expect(runInstance(contestant, another)).rejects.toThrow(/ErrorCode.*120003/);
  another.stop();
});

test('the figures are those of the memory size of the receiver', () => {
  expect(bundled.memoryMb).toBe(MEMORY_MB);
});

const testWithShares = allowsCpuShares() ? test : test.skip;
testWithShares('a CPU share slows the first invocation down', async () => {
  const { start, end } = await runInstance(bundled.contestants.plain, endpoint, { memoryMb: 128 });
  // The share is a fourteenth of a core. Other processes on the machine only increase the ratio.
  expect((end.ms - start.ms) / ((end.cpuUs - start.cpuUs) / 1_000)).toBeGreaterThan(7);
});

test('the quick mode measures the sizes and says what it left out', async () => {
  const bin = join(scratch, 'bin'); // without valgrind, which takes a minute
  mkdirSync(bin);
  symlinkSync(execFileSync('sh', ['-c', 'command -v openssl'], { encoding: 'utf8' }).trim(), join(bin, 'openssl'));
  const { code, stdout } = await program('test/bench/main.ts', ['--quick', '--check'], { PATH: bin }).ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/\| size of the entry +\| +0\.\d+ kB .*\(≤ 240 kB\)/);
  expect(stdout).toContain('Not measured: instructions, without valgrind');
});

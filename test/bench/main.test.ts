import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { program } from '../program.ts';
import { coldStart } from './cold.ts';
import { bundleContestants, CONTESTANTS, type ContestantName } from './contestants.ts';
import { cpuShare, MB_PER_VCPU, whyNoCpuShare } from './cpu-share.ts';
import { startEndpoint, type Endpoint } from './endpoint.ts';
import { MEMORY_MB, startInstance } from './instance.ts';
import type { Result } from './result.ts';

/** On a busy machine a synthesis takes half a minute. */
const PATIENCE_MS = 120_000;

let scratch: string;
let bundled: Awaited<ReturnType<typeof bundleContestants>>;
let endpoint: Endpoint;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'tencent-chat-bench-'));
  bundled = await bundleContestants(scratch);
  endpoint = await startEndpoint(scratch);
}, PATIENCE_MS);
afterAll(async () => {
  await endpoint.stop();
  bundled.dispose();
  rmSync(scratch, { recursive: true });
});

/** What each asks of AWS for 21 deliveries. Ours reads the token during init. */
const REQUESTS: Record<ContestantName, object> = {
  floor: {},
  plain: { UpdateItem: 21 },
  same: { UpdateItem: 21, GetSecretValue: 1 },
  ours: { UpdateItem: 21, GetSecretValue: 1, 'GET /': 1 },
};

test.each(CONTESTANTS)('%s does its work: one write a delivery, cold and warm, or none at all', async (name) => {
  await endpoint.takeRequests();
  const instance = await startInstance(bundled.contestants[name], endpoint);
  const cold = await instance.deliver();
  const warm = await instance.deliverMany(20);
  await instance.stop();
  expect(await endpoint.takeRequests()).toEqual(REQUESTS[name]);
  expect(cold.end.ms).toBeGreaterThan(cold.start.ms);
  expect(cold.end.cpuUs).toBeGreaterThan(cold.start.cpuUs);
  expect(cold.peakBytes).toBeGreaterThan(20e6);
  expect(cold.peakBytes).toBeLessThan(150e6); // not this process's, which is larger
  expect(warm.milliseconds).toHaveLength(20);
  expect(warm.allocatedBytes).toBeGreaterThan(0);
});

test.each(['same', 'ours'] as const)('what does not reply OK is not measured: %s, for another app', async (name) => {
  const contestant = bundled.contestants[name];
  const broken = { ...contestant, environment: { ...contestant.environment, SDK_APP_ID: '2' } };
  await expect(coldStart(broken, endpoint)).rejects.toThrow(`${name} replied`);
});

test.each(['same', 'ours'] as const)('%s refuses what was signed with another token', async (name) => {
  const stranger = await startEndpoint(mkdtempSync(join(scratch, 'stranger-')), 'another token');
  try {
    await expect(coldStart(bundled.contestants[name], stranger)).rejects.toThrow(/ErrorCode.*120003/);
  } finally {
    await stranger.stop();
  }
});

test('everything is measured, and the cost reckoned, for the memory size that the stack gives the receiver', () => {
  expect(bundled.memoryMb).toBe(MEMORY_MB);
});

const whereAllowed = whyNoCpuShare() === undefined ? test : test.skip;
whereAllowed('a CPU share slows the invocation down, and not init', async () => {
  const full = await coldStart(bundled.contestants.plain, endpoint);
  const small = await coldStart(bundled.contestants.plain, endpoint, 128);
  expect(small.firstMs).toBeGreaterThan(3 * full.firstMs);
  expect(small.initMs).toBeLessThan(3 * full.initMs);
  expect(() => cpuShare(MB_PER_VCPU).remove()).not.toThrow();
});

test(
  'the quick mode says what it lacks and writes what it has',
  async () => {
    const bin = join(scratch, 'bin'); // without valgrind, under which this would take a minute
    const out = join(scratch, 'out');
    const openssl = execFileSync('sh', ['-c', 'command -v openssl'], { encoding: 'utf8' }).trim();
    execFileSync('mkdir', [bin]);
    symlinkSync(openssl, join(bin, 'openssl'));
    const { code, stdout } = await program('test/bench/main.ts', ['--quick', '--out', out], { PATH: bin }).ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/\| bundle that a cold start loads +\| +0\.60 kB/);
    expect(stdout).toContain('apt-get install valgrind');
    const { measures, leftOut } = JSON.parse(readFileSync(join(out, 'result.json'), 'utf8')) as Result;
    expect(Object.keys(measures)).toEqual(['entryBytes', 'bundleBytes']);
    expect(leftOut).toHaveLength(1);
  },
  PATIENCE_MS,
);

test.each([
  [['--readme', '--quick'], '--readme goes with --out alone'],
  [['--readme', '--out', '/nowhere'], "/nowhere/result.json can't be read: ENOENT"],
  [['--out', ''], '--out is empty'],
  [['--quick', '--out', import.meta.filename], "--out can't be used: EEXIST"],
])('options that make no sense end it before it measures: %j', async (args, message) => {
  const { code, stdout, stderr } = await program('test/bench/main.ts', args).ended;
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/^ +at /m);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startFunction, type LocalFunction } from '../../../../infra/local/aws/function.ts';
import { slowed } from '../../../time.ts';

let directory: string;
let running: LocalFunction | undefined;
let log: PassThrough;
beforeEach(() => {
  log = new PassThrough();
});
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'function-test-'));
});
afterEach(() => running?.stop());
afterAll(() => rmSync(directory, { recursive: true }));

async function start(
  source: string,
  { timeoutMs = slowed(5_000), ...options }: { timeoutMs?: number; maxInstances?: number; timeScale?: number } = {},
): Promise<LocalFunction> {
  const file = join(directory, `${Math.random()}.mjs`);
  writeFileSync(file, source);
  const spec = { file, handlerName: 'handler', timeoutMs, environment: { NAME: '值' } };
  running = await startFunction(spec, { log, ...options });
  return running;
}

test('a function gets its event and only its own environment', async () => {
  const { invoke } = await start('export const handler = async (event) => ({ event, env: { ...process.env } })');
  const { event, env } = (await invoke({ n: 1 })) as { event: unknown; env: Record<string, string> };
  expect(event).toEqual({ n: 1 });
  expect(Object.keys(env).filter((name) => !name.startsWith('NODE_'))).toEqual(['NAME']);
  expect(env['NAME']).toBe('值');
});

test('each invocation gets its own result', async () => {
  const { invoke } = await start(
    'export const handler = (n) => new Promise((resolve) => setTimeout(() => resolve(n), 50 - n))',
  );
  const numbers = Array.from({ length: 50 }, (_, n) => n);
  expect(await Promise.all(numbers.map((n) => invoke(n)))).toEqual(numbers);
});

describe('as in Lambda, an instance', () => {
  const BUSY = `
    let busy = 0;
    export const handler = async () => {
      const atOnce = (busy += 1);
      await new Promise((resolve) => setTimeout(resolve, 300));
      busy -= 1;
      return { atOnce, pid: process.pid };
    }`;
  type Busy = { atOnce: number; pid: number };

  test('has one invocation at a time; other instances get concurrent ones, up to the maximum', async () => {
    const { invoke } = await start(BUSY, { maxInstances: 3 });
    const done = (await Promise.all(Array.from({ length: 24 }, () => invoke({})))) as Busy[];
    expect(done.map(({ atOnce }) => atOnce)).toEqual(Array(24).fill(1));
    expect(new Set(done.map(({ pid }) => pid)).size).toBe(3);
  });

  test('that is free is used again', async () => {
    const { invoke } = await start(BUSY);
    const [first, second] = [(await invoke({})) as Busy, (await invoke({})) as Busy];
    expect(second.pid).toBe(first.pid);
  });

  test('that crashes during init fails only the invocation for which it was started', async () => {
    const marker = join(directory, `${Math.random()}`);
    const { invoke } = await start(`
      import { existsSync, writeFileSync } from 'node:fs';
      if (existsSync(${JSON.stringify(marker)})) throw new Error('at init');
      writeFileSync(${JSON.stringify(marker)}, '');
      export const handler = () => new Promise((resolve) => setTimeout(resolve, ${slowed(1_000)}, 'done'))`);
    const invocations = await Promise.allSettled([invoke({}), invoke({})]);
    expect(invocations).toEqual([
      { status: 'fulfilled', value: 'done' },
      { status: 'rejected', reason: new Error("the function's process ended (exit code 1)") },
    ]);
  });
});

test('the lines of several instances do not mix', async () => {
  const { invoke } = await start(`
    const write = (text) => new Promise((resolve) => process.stdout.write(text, resolve));
    export const handler = async (n) => {
      for (let part = 0; part < 20; part += 1) {
        await write(n);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await write('\u2028新\\n');
    }`);
  await Promise.all(['a', 'b', 'c'].map((n) => invoke(n)));
  const lines = String(log.read())
    .split('\n')
    .filter((line) => line !== '');
  expect(lines.toSorted()).toEqual(['a', 'b', 'c'].map((n) => `${n.repeat(20)}\u2028新`));
});

test('timeScale slows the timers of a function, but not its clock', async () => {
  const { invoke } = await start(
    `export const handler = async () => {
      const start = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 100));
      const ofTimer = performance.now() - start;
      await new Promise((resolve) => AbortSignal.timeout(100).addEventListener('abort', resolve));
      return [ofTimer, performance.now() - start];
    }`,
    { timeScale: 3 },
  );
  const [ofTimer, ofBoth] = (await invoke({})) as [number, number];
  expect(ofTimer).toBeGreaterThan(299);
  expect(ofBoth).toBeGreaterThan(598);
});

test('an error of the function is an error of the invocation', async () => {
  const { invoke } = await start('export const handler = async () => { throw new Error("on purpose") }');
  await expect(invoke({})).rejects.toThrow('on purpose');
});

test('an instance that crashes fails its invocation and is replaced for the next one', async () => {
  const { invoke } = await start('export const handler = async (die) => (die ? process.exit(3) : process.pid)');
  const before = await invoke(false);
  await expect(invoke(true)).rejects.toThrow("the function's process ended (exit code 3)");
  const after = await invoke(false);
  expect(after).not.toBe(before);
});

test('an instance that exceeds the timeout is killed and replaced', async () => {
  const { invoke } = await start('export const handler = (n) => (n ? n : new Promise(() => {}))', { timeoutMs: 500 });
  await expect(invoke(0)).rejects.toThrow("the function's process ended (SIGKILL)");
  expect(String(log.read())).toBe("the function's process ended (SIGKILL)\n");
  expect(await invoke(1)).toBe(1);
});

test('a failed init fails the start', async () => {
  await expect(start('throw new Error("at init")')).rejects.toThrow("the function's process ended (exit code 1)");
  expect(String(log.read())).toContain('Error: at init');
});

test('a stopped function starts no instance', async () => {
  const { invoke, stop } = await start('export const handler = async () => process.pid');
  stop();
  await expect(invoke({})).rejects.toThrow('the function is stopped');
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startFunction, type LocalFunction } from '../../../../infra/local/aws/function.ts';

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

async function start(source: string, timeoutMs = 5_000): Promise<LocalFunction> {
  const file = join(directory, `${Math.random()}.mjs`);
  writeFileSync(file, source);
  running = await startFunction({ file, handlerName: 'handler', timeoutMs, environment: { NAME: '值' } }, log);
  return running;
}

test('a function sees its event and its own environment only', async () => {
  const { invoke } = await start('export const handler = async (event) => ({ event, env: { ...process.env } })');
  const { event, env } = (await invoke({ n: 1 })) as { event: unknown; env: Record<string, string> };
  expect(event).toEqual({ n: 1 });
  expect(Object.keys(env).filter((name) => !name.startsWith('NODE_'))).toEqual(['NAME']);
  expect(env['NAME']).toBe('值');
});

test('answers find their own invocation', async () => {
  const { invoke } = await start(
    'export const handler = (n) => new Promise((resolve) => setTimeout(() => resolve(n), 50 - n))',
  );
  const numbers = Array.from({ length: 50 }, (_, n) => n);
  expect(await Promise.all(numbers.map(invoke))).toEqual(numbers);
});

test('an error of the function is an error of the invocation', async () => {
  const { invoke } = await start('export const handler = async () => { throw new Error("on purpose") }');
  await expect(invoke({})).rejects.toThrow('on purpose');
});

test('an instance that dies fails its invocation and is replaced at the next', async () => {
  const { invoke } = await start('export const handler = async (die) => (die ? process.exit(3) : process.pid)');
  const before = await invoke(false);
  await expect(invoke(true)).rejects.toThrow("the function's process ended (exit code 3)");
  const after = await invoke(false);
  expect(after).not.toBe(before);
});

test('an instance that runs into the timeout is killed and replaced', async () => {
  const { invoke } = await start('export const handler = (n) => (n ? n : new Promise(() => {}))', 500);
  await expect(invoke(0)).rejects.toThrow("the function's process ended (SIGKILL)");
  expect(String(log.read())).toBe("the function's process ended (SIGKILL)\n");
  expect(await invoke(1)).toBe(1);
});

test('an init that fails is an error at the start', async () => {
  await expect(start('throw new Error("at init")')).rejects.toThrow("the function's process ended (exit code 1)");
  expect(String(log.read())).toContain('Error: at init');
});

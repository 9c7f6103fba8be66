import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { program, signalGroup } from '../program.ts';
import { until } from '../until.ts';

let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'faults-test-'));
});
afterEach(() => rmSync(temporary, { recursive: true }));

test.each([
  ['SIGINT', 200],
  ['SIGINT', 500],
  ['SIGHUP', 500],
] as const)('%s %s ms into the synthesis ends it without a stack trace, and nothing stays', async (signal, ms) => {
  const { child, ended } = program('test/faults/main.ts', ['--count', '1'], { TMPDIR: temporary });
  await until(() => readdirSync(temporary).length > 0);
  await sleep(ms);
  signalGroup(child, signal);
  expect(await ended).toMatchObject({ code: 1, stderr: '' });
  expect(readdirSync(temporary)).toEqual([]);
});

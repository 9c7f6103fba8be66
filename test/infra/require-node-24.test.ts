import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import cdkJson from '../../cdk.json' with { type: 'json' };
import packageJson from '../../package.json' with { type: 'json' };
import { command, ROOT } from '../program.ts';

const CHECK = './infra/require-node-24.mjs';

/** Preloads the check before a TypeScript file that does not exist. */
const preload = (check: string, ...imports: string[]) =>
  command(process.execPath, [...[...imports, check].flatMap((file) => ['--import', file]), 'nowhere.ts']).ended;

test('an older Node gets a message with the solution, not an error of the first file', async () => {
  const older = "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.19.5'})";
  expect(await preload(CHECK, older)).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^.*Node 24.*20\.19\.5\.\nRun 'npm ci'/),
  });
});

test('missing packages are reported, not the name of a module', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'require-node-24-'));
  copyFileSync(join(ROOT, CHECK), join(directory, 'check.mjs'));
  expect(await preload(join(directory, 'check.mjs'))).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^.*not installed.*\nRun 'npm ci'/),
  });
  rmSync(directory, { recursive: true });
});

test('with the right Node and all packages, it prints nothing', async () => {
  expect((await preload(CHECK)).stderr).not.toContain('npm ci');
});

test('every script that needs Node 24 runs it first', () => {
  const scripts = Object.values(packageJson.scripts).filter((script) => /\bnode /.test(script));
  expect(scripts.length).toBeGreaterThan(9);
  for (const script of [...scripts, cdkJson.app]) {
    expect(script).toMatch(/\bnode --import \.\/infra\/require-node-24\.mjs /);
  }
});

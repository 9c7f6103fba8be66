import { describe, expect, test } from '@jest/globals';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import packageJson from '../package.json' with { type: 'json' };
import { command, ROOT, signalGroup } from './program.ts';
import { until } from './until.ts';

const SHELL = join(ROOT, 'test/windows-shell.mjs');
const BIN = join(ROOT, 'node_modules/.bin');

describe('in a shell that knows no more than cmd', () => {
  test.each(Object.entries(packageJson.scripts))('npm run %s starts each of its commands', async (_name, script) => {
    // As npm calls the shell. npm hands its own settings down, and so the shell to the scripts in a script.
    const env = {
      npm_config_script_shell: SHELL,
      EACH_COMMAND: '--help',
      PATH: `${BIN}${delimiter}${process.env['PATH']}`,
    };
    const { code, stdout, stderr } = await command(SHELL, ['-c', script], env).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/usage|options/i);
  });

  test.each([
    ['a single quote', "node --eval '1'"],
    ['a variable', 'node --eval $HOME'],
    ['a variable before a command', 'A=1 node --version'],
    ['two commands in a row', 'node --version; node --version'],
    ['a builtin of sh', 'export A'],
    ['a program of POSIX', 'rm -rf dist'],
    ['a program by its path', './node_modules/.bin/tsc --version'],
  ])('%s is refused', async (_what, line) => {
    const { code, stdout } = await command(SHELL, ['-c', line]).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});

/** Where the shell has no `exec`, a program of this name runs Node. */
const exec = (...args: string[]) => command(join(ROOT, 'node_modules/.bin/exec'), args);

test('the program exec ends with the exit code of Node', async () => {
  expect(await exec('node', '--eval', 'process.exitCode = 7').ended).toMatchObject({ code: 7 });
});

test('after Ctrl-C, the program exec waits until Node has ended', async () => {
  const program = `
    process.on('SIGINT', () => setTimeout(() => { console.log('stopped'); process.exit(0); }, 500));
    setInterval(() => {}, 1_000);
    console.log('ready');`;
  const { child, output, ended } = exec('node', '--eval', program);
  await until(() => output.stdout.includes('ready') || undefined);
  await sleep(10);
  signalGroup(child, 'SIGINT');
  expect(await ended).toEqual({ code: 0, stdout: 'ready\nstopped\n', stderr: '' });
});

test('the program exec runs nothing but Node', async () => {
  expect(await exec('npm', '--version').ended).toEqual({
    code: 2,
    stdout: '',
    stderr: 'Usage: exec node ARGUMENT …\n',
  });
});

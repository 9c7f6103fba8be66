#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Stands in for cmd as the shell of npm scripts: `npm_config_script_shell=test/windows-shell.mjs npm run …`. It runs commands
 * separated by `&&`. It knows double quotes and the programs of Windows, but no builtins of sh, and no other syntax.
 *
 * To each command it adds the arguments in the environment variable EACH_COMMAND, because npm adds arguments only to the last.
 */
const ON_WINDOWS = new Set(['node', 'npm', 'npx']);
const [, line = ''] = process.argv.slice(2); // after -c
const added = (process.env.EACH_COMMAND ?? '').split(' ').filter(Boolean);

const syntax = /['`$;\\^%*?~#|<>(){}]|(?<!&)&(?!&)/.exec(line);
if (syntax !== null) refuse(`${syntax[0]} is no syntax of cmd, or means something else there: ${line}`);
for (const command of line.split('&&')) {
  const [program, ...args] = [...command.matchAll(/"([^"]*)"|[^\s"]+/g)].map(([word, quoted]) => quoted ?? word);
  const separator = program === 'npm' && added.length > 0 && !args.includes('--') ? ['--'] : [];
  const { status } = spawnSync(path(program), [...args, ...separator, ...added], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** Finds a program as cmd does: on Windows, npm writes a .cmd file beside each program in node_modules/.bin. */
function path(program = '') {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const searched = ON_WINDOWS.has(program)
    ? folders
    : folders.filter((folder) => /node_modules[\\/]\.bin$/.test(folder));
  const found = searched.map((folder) => join(folder, program)).find((file) => existsSync(file));
  return found ?? refuse(`'${program}' is not recognized as an internal or external command`);
}

function refuse(problem) {
  console.error(problem);
  process.exit(1);
}

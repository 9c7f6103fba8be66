#!/usr/bin/env node
import { spawn } from 'node:child_process';
import process from 'node:process';

// The npm scripts begin with `exec`, so that the signals that npm gets reach Node: npm forwards them only to its shell, and
// dash neither forwards them nor replaces itself by its last command. In sh, `exec` is a builtin. cmd on Windows has none:
// there, npm's PATH leads to this program. It runs Node with the given arguments, and ends with the exit code of Node.

const [program, ...args] = process.argv.slice(2);
if (program !== 'node') {
  console.error('Usage: exec node ARGUMENT …');
  process.exit(2);
}
// On Windows, Ctrl-C reaches all programs of the console. So this one waits until Node has ended.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {});
spawn(process.execPath, args, { stdio: 'inherit' }).on('exit', (code) => process.exit(code ?? 1));

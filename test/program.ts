import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');

/** Runs a program of this project as a process. */
export function program(file: string, args: readonly string[], env: Record<string, string> = {}) {
  return command(process.execPath, [join(ROOT, file), ...args], env);
}

const children = new Set<ChildProcess>();
process.once('exit', endPrograms); // under Jest, test/jest/each-file.mjs calls it

/** Runs a command in the project's root, in its own process group. */
export function command(executable: string, args: readonly string[], env: Record<string, string> = {}) {
  // A developer may have exported the token of a deployed receiver, or the key of an app.
  const { CHAT_WEBHOOK_TOKEN: _, CHAT_APP_KEY: __, ...inherited } = process.env;
  const child = spawn(executable, args, { cwd: ROOT, env: { ...inherited, ...env }, detached: true });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (output.stdout += chunk));
  child.stderr.on('data', (chunk) => (output.stderr += chunk));
  const running = {
    child,
    output,
    ended: once(child, 'close').then(([code]) => ({ code: code as number | null, ...output })),
  };
  children.add(child);
  void running.ended.then(() => children.delete(child));
  return running;
}

/** Ends all programs that still run, for example after a failed test. */
export function endPrograms(): void {
  for (const child of children) signalGroup(child, 'SIGKILL');
}

/** Sends a signal to the command and its child processes, like Ctrl-C in a terminal. */
export function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

import { execute } from '../infra/cli/command-line.ts';

/**
 * Runs a program in the process of the test, which saves the second that a new process takes. A test that needs a
 * signal, a terminal or a closed output runs the program's file instead: see test/program.ts.
 *
 * @param createProgram exported by the program's file.
 */
export async function inProcess(
  createProgram: () => Parameters<typeof execute>[0],
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  const output = { stdout: '', stderr: '' };
  const { log, error } = console;
  const { env: inherited } = process;
  // A developer may have exported the token of a deployed receiver, or the key of an app.
  const { CHAT_WEBHOOK_TOKEN: _, CHAT_APP_KEY: __, ...others } = inherited;
  process.env = { ...others, ...env };
  process.exitCode = undefined;
  process.setMaxListeners(0); // each command listens to signals until the process ends
  process.stdin.isTTY = false;
  console.log = (text) => void (output.stdout += `${text}\n`);
  console.error = (text) => void (output.stderr += `${text}\n`);
  try {
    await execute(createProgram(), args);
    return { code: Number(process.exitCode ?? 0), ...output };
  } finally {
    Object.assign(console, { log, error });
    process.env = inherited;
    process.exitCode = undefined;
  }
}

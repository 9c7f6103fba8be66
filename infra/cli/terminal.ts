import { createInterface } from 'node:readline';
import { Writable, type Readable } from 'node:stream';
import { UsageError } from './errors.ts';

/** Replaces the control characters in untrusted text, because they could control the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

/** Formats untrusted data as JSON. It also escapes U+007F to U+009F, which JSON.stringify does not. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(
    /[\u007F-\u009F]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

/** Parses JSON. @returns undefined if the text is not JSON. */
export function parseJson(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Reads a secret from the environment, or asks the user without showing the answer. Secrets do not belong on the
 * command line, because other users see it in the list of processes.
 *
 * @param name as in "the app's key".
 * @throws UsageError if stdin is no terminal.
 */
export async function readSecret(variable: string, name: string): Promise<string> {
  const value = process.env[variable];
  if (value) return value;
  if (!process.stdin.isTTY) throw new UsageError(`${name} is missing: set $${variable}`);
  return askHidden(`${name} (hidden; or set $${variable}): `, process.stdin, process.stderr);
}

/** Asks for a line that the terminal does not show. */
export async function askHidden(question: string, input: Readable, output: Writable): Promise<string> {
  output.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const line = await ask('', input, nowhere);
  output.write('\n');
  return line;
}

/** Asks whether to go on. Only the full word `yes` counts. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new UsageError('cannot ask, because stdin is no terminal: add --yes');
  return (await ask(`${question} Write yes to go on: `, process.stdin, process.stderr)) === 'yes';
}

/** @returns the trimmed line; empty if the input ends or Ctrl-C interrupts it. */
function ask(question: string, input: Readable, output: Writable): Promise<string> {
  return new Promise((resolve) => {
    const lines = createInterface({ input, output, terminal: true });
    let answer = '';
    lines.on('close', () => resolve(answer));
    lines.on('SIGINT', () => lines.close());
    lines.question(question, (line) => {
      answer = line.trim();
      lines.close();
    });
  });
}

/** Ctrl-C in a terminal comes twice within this time, because npm forwards it. */
const SAME_INTERRUPTION_MS = 500;

let interrupt: (() => void) | undefined;

/**
 * Ends the process with exit code 1 when its output is closed (`| head`), or aborts {@link interruptionSignal} if that
 * is in use. SIGPIPE would not do, because it comes for closed network connections as well.
 */
export function endWhenOutputCloses(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (interrupt === undefined) process.exit(1);
    interrupt();
  });
}

/**
 * Returns a signal that Ctrl-C, SIGTERM, SIGHUP or a closed output aborts, so that a command can stop at a safe point.
 *
 * @param onSecond what a second Ctrl-C does; by default it ends the process at once.
 */
export function interruptionSignal(onSecond: () => void = () => process.exit(1)): AbortSignal {
  const interruption = new AbortController();
  let interruptedAt = Infinity;
  interrupt = () => {
    if (performance.now() - interruptedAt > SAME_INTERRUPTION_MS) onSecond();
    if (!interruption.signal.aborted) interruptedAt = performance.now();
    interruption.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  return interruption.signal;
}

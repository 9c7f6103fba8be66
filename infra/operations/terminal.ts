import { createInterface } from 'node:readline';
import { Writable, type Readable } from 'node:stream';
import { onOutputClosed, UsageError } from '../local/command-line.ts';

/** Takes out of a stranger's text what would steer a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

/** Makes JSON of a value that holds a stranger's texts. JSON.stringify leaves U+007F to U+009F, which steer a terminal. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(
    /[\u007F-\u009F]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

/** Shows how far a command is, on a terminal and nowhere else. */
export function progress(text: string): void {
  // Cleared to the end of the line, since the text before may have been longer.
  if (process.stderr.isTTY) process.stderr.write(`\r${text}\x1b[K`);
}

/** Makes room for what comes after the progress. */
export function endProgress(): void {
  progress('');
}

/**
 * Reads a secret from the environment, or asks for it without showing what is typed. Not from the command line, which
 * shows in the list of processes.
 *
 * @throws UsageError where there is nobody to ask.
 */
export async function secret(variable: string, what: string): Promise<string> {
  const value = process.env[variable];
  if (value) return value;
  if (!process.stdin.isTTY) throw new UsageError(`${what} is missing: set $${variable}`);
  return askUnseen(`${what} (not shown; or set $${variable}): `, process.stdin, process.stderr);
}

/** Asks for a line that the terminal does not show. */
export async function askUnseen(question: string, input: Readable, output: Writable): Promise<string> {
  output.write(question);
  const nothing = new Writable({ write: (_chunk, _encoding, done) => done() });
  const line = await ask('', input, nothing);
  output.write('\n');
  return line;
}

/** Asks whether to go on. Only `yes`, written out, is one. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new UsageError('there is nobody to ask: give --yes');
  return (await ask(`${question} Write yes to go on: `, process.stdin, process.stderr)) === 'yes';
}

/** @returns the line without its end; an empty one where the input ends or is interrupted. */
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

/**
 * Tells of Ctrl-C and its like, an output that nobody reads any more included, once, so that a command can end where nothing is half done. The second one ends it at once,
 * unless both come at the same time: from the terminal and from npm.
 */
export function untilInterrupted(): AbortSignal {
  const over = new AbortController();
  let interruptedAt = 0;
  const interrupt = () => {
    if (over.signal.aborted && performance.now() - interruptedAt > 500) process.exit(1);
    if (!over.signal.aborted) interruptedAt = performance.now();
    over.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  onOutputClosed(interrupt);
  return over.signal;
}

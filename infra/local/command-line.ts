import { EventEmitter } from 'node:events';
import { resolve } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** The user's command is at fault: the message says all there is to say, a stack trace nothing. */
export class UsageError extends Error {}

/** What the command works with is at fault, a network for instance. The message says what, and what to do. */
export class Failure extends Error {}

/**
 * Runs a command: prints its usage where asked to, and ends with exit code 2 where its options make no sense, and with 1
 * where it fails. Where nobody reads its output any more (`| head`), it ends, or does what {@link onOutputClosed} says.
 *
 * @param usage what `--help` prints, and how a user learns of the options; it names their defaults.
 * @param command gets the options, and the words between them: none are allowed where it takes none.
 */
export async function run<Options extends NonNullable<ParseArgsConfig['options']>>(
  usage: string,
  options: Options,
  command: (
    values: ReturnType<typeof parseArgs<{ options: Options }>>['values'],
    words: readonly string[],
  ) => Promise<void>,
): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (outputClosed.listenerCount('closed') === 0) process.exit(1);
    outputClosed.emit('closed');
  });
  try {
    const { values, positionals } = parseArgs({
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: command.length > 1,
    });
    if ('help' in values && values.help === true) console.log(usage);
    else await command(values as Parameters<typeof command>[0], positionals);
  } catch (error) {
    const isUsage =
      error instanceof UsageError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
    if (!isUsage && !(error instanceof Failure)) throw error;
    console.error((error as Error).message + (isUsage ? '\nSee --help.' : ''));
    process.exitCode = isUsage ? 2 : 1;
  }
}

const outputClosed = new EventEmitter();

/**
 * Calls the listener when nobody reads the output any more. Not the signal SIGPIPE: with a listener for that, a write to
 * any connection that is gone would look the same.
 */
export function onOutputClosed(listener: () => void): void {
  outputClosed.on('closed', listener);
}

/** @throws UsageError where the text is no whole number from `min` to `max`. */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`${option} is '${text}', but must be a whole number from ${min} to ${max}`);
  }
  return value;
}

/** A path as the user means it: from where they stand, and npm runs its scripts in the project's root. */
export function userPath(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? process.cwd(), path);
}

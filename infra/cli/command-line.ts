import { resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from '@commander-js/extra-typings';
import { OperationError, UsageError } from './errors.ts';
import { endWhenOutputCloses } from './terminal.ts';

/** The width of help texts where the output is no terminal. */
const HELP_COLUMNS = 120;

/**
 * Creates the program of an npm script. Each option is added to it once, and appears in `--help` with its default.
 *
 * @param script how to run it, as in `npm run send --`.
 */
export function createProgram(script: string, description: string) {
  return new Command(script)
    .description(description)
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) => `${command.name()} ${command.usage().replace('[options]', '')}`.trimEnd(),
    })
    .configureOutput({
      getOutHelpWidth: () => process.stdout.columns ?? HELP_COLUMNS,
      getErrHelpWidth: () => process.stderr.columns ?? HELP_COLUMNS,
      outputError: () => {}, // execute() prints it
    });
}

/** Runs a program with the arguments of this process. */
export async function run(program: Pick<Command, 'parseAsync'>): Promise<void> {
  endWhenOutputCloses();
  await execute(program, process.argv.slice(2));
}

/** Runs a program and sets the exit code: 1 if it failed, 2 if its arguments are wrong. */
export async function execute(program: Pick<Command, 'parseAsync'>, args: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Prints an error. @returns the exit code. */
function report(error: unknown): number {
  if (error instanceof OperationError) {
    console.error(error.message);
    return 1;
  }
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0; // --help
    if (error.code === 'commander.help') return 2; // the help was printed because the command is missing
  } else if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message.replace(/^error: /, '')}\nSee --help.`);
  return 2;
}

/** Parses an option's value that is a whole number. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** Parses an option's value that must not be empty. */
export function nonEmpty(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It must not be empty.');
}

/**
 * Parses a path relative to the folder in which the user runs npm; npm itself runs its scripts in the project's root.
 */
export function userPath(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? process.cwd(), nonEmpty(path));
}

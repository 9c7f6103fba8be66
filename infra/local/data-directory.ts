import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Level } from 'level';
import { UsageError } from './command-line.ts';

/** Where the table is kept in a data directory, and where the queues are. */
export const dataPaths = (directory: string) => ({ tables: directory, queues: join(directory, 'queues') });

/**
 * Makes a data directory where it is missing, and reads all that is in it: what is damaged would else be found out by
 * the first request that needs it, and end the process.
 *
 * @throws UsageError where it can't be used.
 */
export async function prepareDataDirectory(directory: string): Promise<void> {
  try {
    for (const path of Object.values(dataPaths(directory))) {
      makeDirectory(path);
      const files = new Level(path, { valueEncoding: 'json' });
      await files.open();
      for await (const _ of files.iterator());
      await files.close();
    }
  } catch (error) {
    throw unusable(directory, error);
  }
}

/** With its parents. mkdirSync's own way never ends where the system denies that a parent is there, as below /proc. */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
}

/** What is to be said of a data directory that can't be used. */
export function unusable(directory: string, error: unknown): UsageError {
  const { message, cause } = error as LevelError;
  const reason = isLocked(error) ? 'another process has it open' : (cause?.message ?? message);
  return new UsageError(`--data-dir '${directory}' can't be used: ${reason}`, { cause: error });
}

export function isLocked(error: unknown): boolean {
  return (error as LevelError).cause?.code === 'LEVEL_LOCKED';
}

type LevelError = Error & { cause?: Error & { code?: string } };

import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Level } from 'level';
import { UsageError } from '../cli/errors.ts';

/** Returns the folders of the tables and of the queues in a data directory. */
export const dataPaths = (directory: string) => ({ tables: directory, queues: join(directory, 'queues') });

/**
 * Creates a data directory if it is missing, and reads all its files. Otherwise the first request that needs a damaged
 * file would end the process.
 *
 * @throws UsageError if the directory can't be used.
 */
export async function prepareDataDirectory(directory: string): Promise<void> {
  try {
    for (const path of Object.values(dataPaths(directory))) {
      createDirectory(path);
      const files = new Level(path, { valueEncoding: 'json' });
      await files.open();
      for await (const _ of files.iterator());
      await files.close();
    }
  } catch (error) {
    throw unusableDataDirectory(directory, error);
  }
}

/**
 * Creates a directory and its parents. `mkdirSync` with `recursive` never ends if the system reports that a parent does
 * not exist, for example below /proc.
 */
function createDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  createDirectory(dirname(path));
  mkdirSync(path);
}

export function unusableDataDirectory(directory: string, error: unknown): UsageError {
  const { message, cause } = error as LevelError;
  const reason = isLocked(error) ? 'another process uses it' : (cause?.message ?? message);
  return new UsageError(`--data-dir '${directory}' can't be used: ${reason}`, { cause: error });
}

/** Returns whether another process uses the database. */
export function isLocked(error: unknown): boolean {
  return (error as LevelError).cause?.code === 'LEVEL_LOCKED';
}

type LevelError = Error & { cause?: Error & { code?: string } };

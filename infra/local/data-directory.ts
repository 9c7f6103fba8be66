import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Level } from 'level';
import { UsageError } from '../cli/errors.ts';

/** Returns where a data directory holds the table, and where the queues. */
export const dataPaths = (directory: string) => ({ tables: directory, queues: join(directory, 'queues') });

/**
 * Creates a data directory if it is missing. Reads all its files, because damage would otherwise end the process at the
 * first request that meets it.
 *
 * @throws UsageError if the directory can't be used.
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
    throw unusableDataDirectory(directory, error);
  }
}

/** Creates a directory with its parents. mkdirSync with `recursive` never returns for paths such as /proc/nowhere/x. */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  makeDirectory(dirname(path));
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

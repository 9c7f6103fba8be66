import { join } from 'node:path';
import { Level } from 'level';
import { UsageError } from '../cli/errors.ts';

/** Returns the folders of the tables and of the queues in a data directory. */
export const dataPaths = (directory: string) => ({ tables: directory, queues: join(directory, 'queues') });

/**
 * Creates a data directory if it is missing. Opens its files, because dynalite would end the process if it can't.
 *
 * @throws UsageError if the directory can't be used.
 */
export async function prepareDataDirectory(directory: string): Promise<void> {
  for (const path of Object.values(dataPaths(directory))) {
    const files = new Level(path);
    try {
      await files.open();
    } catch (error) {
      const { message, code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
      const reason = code === 'LEVEL_LOCKED' ? 'another process uses it' : message;
      throw new UsageError(`--data-dir '${directory}' can't be used: ${reason}`, { cause: error });
    }
    await files.close();
  }
}

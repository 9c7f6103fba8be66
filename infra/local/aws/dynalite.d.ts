declare module 'dynalite' {
  import type { Server } from 'node:http';

  /** @see https://github.com/architect/dynalite#programmatically */
  export default function dynalite(options: { path?: string; createTableMs?: number }): Server;
}

/** Its insides: not documented. */
declare module 'dynalite/db/index.js' {
  type Item = Record<string, unknown>;
  export type WriteDone = (error: unknown) => void;
  /** The items of a table: `put(key, item, done)` and `del(key, done)`. */
  export type ItemDb = Record<'put' | 'del', (...args: unknown[]) => void>;
  type UpdateIndexes = (
    store: { options: object; getItemDb(tableName: string): ItemDb },
    table: { TableName: string; KeySchema: { AttributeName: string }[] },
    before: Item | null | undefined,
    after: Item | null | undefined,
    done: (error?: unknown) => void,
  ) => void;
  const db: { updateIndexes: UpdateIndexes };
  export default db;
}

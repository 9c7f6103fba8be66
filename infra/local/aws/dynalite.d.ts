declare module 'dynalite' {
  import type { Server } from 'node:http';

  /** @see https://github.com/architect/dynalite#programmatically */
  export default function dynalite(options: { path?: string; createTableMs?: number }): Server;
}

/** Its insides: not documented. */
declare module 'dynalite/db/index.js' {
  type Item = Record<string, unknown>;
  type UpdateIndexes = (
    store: { options: object },
    table: { TableName: string; KeySchema: { AttributeName: string }[] },
    before: Item | null | undefined,
    after: Item | null | undefined,
    done: (error?: unknown) => void,
  ) => void;
  const db: { updateIndexes: UpdateIndexes };
  export default db;
}

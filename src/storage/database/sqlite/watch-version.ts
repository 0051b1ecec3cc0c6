// Who listens on SQLite: the file's version is looked at, which any other connection's commit changes.

import { sql } from 'kysely';
import type { Database } from '../database.ts';

const EVERY_MS = 100;

/** `wake` comes within a tenth of a second of any commit of another connection, whatever it was about; never of this one's. */
export function watchVersion(database: Pick<Database, 'tables'>, wake: () => void): () => Promise<void> {
  let last: number | undefined;
  let isOver = false;
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    try {
      const { rows } = await sql<{ data_version: number }>`pragma data_version`.execute(database.tables());
      const version = rows[0]?.data_version;
      if (last !== undefined && version !== last && !isOver) wake();
      last = version;
    } catch {
      // Locked or away: looked at again the next time.
    }
    if (!isOver) next();
  };
  let timer: NodeJS.Timeout | undefined;
  const next = (): void => {
    timer = setTimeout(() => {
      looking = look();
    }, EVERY_MS).unref();
  };
  looking = look();
  return async () => {
    isOver = true;
    clearTimeout(timer);
    await looking;
  };
}

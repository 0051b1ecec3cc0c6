// The prediction log for a while, on a connection of its own: asked again from the start where a compaction takes files away.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError } from '../../core/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import type { LogRange } from './log-parts.ts';
import { listLogFiles, type LogRelation, openLogRelation } from './log-relation.ts';

export interface LogPlace extends LogRange {
  /** The log's; where there is none the log is empty. */
  readonly directory: string;
}

/** Many compactions while one question is asked. */
const MOST_TRIES = 20;

/** `work` may run several times: what it does is to be the same then. Throws what it throws while the files are the same. */
export async function withLog<T>(
  duckdb: DuckDb,
  place: LogPlace,
  work: (connection: DuckDBConnection, log: LogRelation) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const connection = await duckdb.connect();
    let log: LogRelation | undefined;
    try {
      log = await openLogRelation(connection, place.directory, place);
      return await work(connection, log);
    } catch (error) {
      if (error instanceof HeadraceError) throw error;
      // Other files than a moment ago: one that it wanted may have become another.
      const isOther = log !== undefined && log.files !== (await listLogFiles(place.directory, place));
      if (!isOther || tries === MOST_TRIES) throw error;
    } finally {
      connection.closeSync();
    }
  }
}

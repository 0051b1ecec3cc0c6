// The prediction log for a while, on a connection of its own: asked again from the start where a compaction takes files away.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { DuckDb } from '../../storage/index.ts';
import { type LogRange, listLogFiles, openLogRelation } from '../prediction-log/log-relation.ts';

/** Many compactions while one question is asked. */
const MOST_TRIES = 10;

/**
 * `work` may run several times: what it does is to be the same then. Its view of the log is `predictions`, each with its outcome
 * where those are asked for.
 */
export async function withLog<T>(
  duckdb: DuckDb,
  directory: string,
  range: LogRange,
  has: 'predictions' | 'outcomes',
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const connection = await duckdb.connect();
    let files: string | undefined;
    try {
      const log = await openLogRelation(connection, directory, range);
      files = log.files;
      await connection.run(
        `CREATE OR REPLACE TEMP VIEW predictions AS ${has === 'outcomes' ? log.sql : log.predictions}`,
      );
      return await work(connection);
    } catch (error) {
      const isOther = files !== undefined && files !== (await listLogFiles(directory, range));
      if (!isOther || tries === MOST_TRIES) throw error;
    } finally {
      connection.closeSync();
    }
  }
}

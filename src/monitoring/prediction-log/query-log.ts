// A question in SQL to the whole prediction log, its last seconds included. It only reads, and is asked again where a
// compaction takes files away under it.

import { type DuckDBConnection, type DuckDBPreparedStatement, StatementType } from '@duckdb/node-api';
import { HeadraceError, type Json, messageOf } from '../../core/index.ts';
import { type DuckDb, startPathsAt } from '../../storage/index.ts';
import { answerJson } from './answer-json.ts';
import { exposuresSql } from './exposures.ts';
import type { LogRelation } from './log-relation.ts';
import { type LogPlace, withLog } from './with-log.ts';

export interface LogQuestion extends LogPlace {
  /** One SELECT of DuckDB's. `predictions` is the log, as `LogRelation.sql` has it; `outcomes` and `exposures` are there, too. */
  readonly sql: string;
  /** Rows beyond it are left out. */
  readonly limit: number;
  /** Where relative names of other files in `sql` start. */
  readonly startsAt: string;
}

export interface LogAnswer {
  /** Of columns with one name the second is `name:1`; types are DuckDB's. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly Json[])[];
  /** Whether there are more rows. */
  readonly isCut: boolean;
  /** Places in segments that can't be read, and are not asked. */
  readonly damaged: number;
}

/** Throws HR_USAGE for what is no SELECT, and with DuckDB's words where it fails; HR_STORAGE_FULL. */
export async function queryPredictionLog(duckdb: DuckDb, question: LogQuestion): Promise<LogAnswer> {
  return askLog(duckdb, question, (connection, log) => ask(connection, log, question));
}

/** For whoever asks: what DuckDB throws is thrown as above. */
export async function askLog<T>(
  duckdb: DuckDb,
  place: LogPlace,
  work: (connection: DuckDBConnection, log: LogRelation) => Promise<T>,
): Promise<T> {
  try {
    return await withLog(duckdb, place, work);
  } catch (error) {
    throw error instanceof HeadraceError ? error : queryError(error);
  }
}

async function ask(connection: DuckDBConnection, log: LogRelation, question: LogQuestion): Promise<LogAnswer> {
  const { limit, sql, startsAt } = question;
  await connection.run(`CREATE TEMP VIEW predictions AS ${log.sql}`);
  await connection.run(`CREATE TEMP VIEW outcomes AS ${log.outcomes}`);
  await connection.run(`CREATE TEMP VIEW exposures AS ${exposuresSql(`(${log.predictions})`)}`);
  const statement = await prepareSelect(connection, await startPathsAt(connection, sql, startsAt));
  const reader = await statement.streamAndReadUntil(limit + 1);
  const types = reader.columnTypes();
  const rows = reader.getRows();
  const names = reader.deduplicatedColumnNames();
  return {
    columns: names.map((name, i) => ({ name, type: String(types[i]) })),
    rows: rows.slice(0, limit).map((row) => row.map((value, i) => answerJson(value, types[i]))),
    isCut: rows.length > limit,
    damaged: log.damaged,
  };
}

async function prepareSelect(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  const statements = sql.trim() === '' ? undefined : await connection.extractStatements(sql);
  const statement = statements?.count === 1 ? await statements.prepare(0) : undefined;
  if (statement?.statementType !== StatementType.SELECT) {
    throw new HeadraceError('HR_USAGE', 'the prediction log is asked by one SELECT, and nothing else.');
  }
  if (statement.parameterCount > 0) {
    throw new HeadraceError('HR_USAGE', 'the query takes no parameters: write the values themselves.');
  }
  return statement;
}

function queryError(cause: unknown): HeadraceError {
  const message = messageOf(cause);
  if (/No space left on device|max_temp_directory_size/i.test(message)) {
    return new HeadraceError('HR_STORAGE_FULL', 'the query fails: the disk is full. Free space, or ask for less.', {
      cause,
    });
  }
  // DuckDB repeats the query in it.
  const [words = message] = message.split(/\n\s*\n?LINE \d+:/);
  return new HeadraceError('HR_USAGE', `the query fails: ${words}`, { cause });
}

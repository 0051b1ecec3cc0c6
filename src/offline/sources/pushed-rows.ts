// Pushed events that are part of a source: read back from the push log into a table of the connection.

import { createHash } from 'node:crypto';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { SourceSpec } from '../../definitions/index.ts';
import { readPushLog } from '../../online/index.ts';
import { toDuck } from '../duckdb/vector-values.ts';
import { ROWS_PER_FILE } from './raw-scan.ts';
import { duckType, quoteName } from './sql-text.ts';

export interface PushedRows {
  /**
   * A relation of the declared columns, `__hr_row` (numbered on after the source's files), `__hr_arrival` (order of
   * arrival) and `__hr_arrived` (BIGINT micros: the known time that the log gave the event).
   */
  readonly relation: string;
  readonly rows: number;
  /** Of the events in their order, so that a training set names what it used. */
  readonly sha256: string;
}

/** Loads every event of the source's log; an absent log is an empty one. */
export async function loadPushedRows(
  connection: DuckDBConnection,
  source: SourceSpec,
  pushLogDirectory: string,
  filesBefore: number,
): Promise<PushedRows> {
  const table = quoteName(`__hr_pushed_${source.name}`);
  const columns = source.columns.map(({ name, type }) => `${quoteName(name)} ${duckType(type)}`);
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${table} (${[...columns, '__hr_row BIGINT', '__hr_arrival BIGINT', '__hr_arrived BIGINT'].join(', ')})`,
  );
  const appender = await connection.createAppender(`__hr_pushed_${source.name}`, null, 'temp');
  const hash = createHash('sha256');
  let rows = 0;
  for await (const { row, knownMicros, order } of readPushLog(pushLogDirectory, source)) {
    source.columns.forEach(({ name, type }, i) => {
      const value = row[name] ?? null;
      if (value === null) appender.appendNull();
      else appender.appendValue(toDuck(type, value), appender.columnType(i));
    });
    appender.appendBigInt(BigInt(filesBefore * ROWS_PER_FILE + rows));
    appender.appendBigInt(BigInt(order));
    appender.appendBigInt(BigInt(knownMicros));
    appender.endRow();
    hash.update(`${order}/${knownMicros};`);
    rows++;
  }
  appender.closeSync();
  return { relation: table, rows, sha256: hash.digest('hex') };
}

// Reads a source of a database for a run: its declared columns, of the event times that are wanted, in one transaction that
// sees one moment, to rows that are landed as Parquet. A connection that is lost is tried again from the start, a few times;
// nothing of half a read is kept.

import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HeadraceError } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import { quoteName } from '../../../storage/index.ts';
import type { EventRange } from '../event-range.ts';
import { landedFolder, landQuery } from '../landed/land-query.ts';
import type { PinnedSnapshot } from '../pinned-snapshot.ts';
import type { SourceDeps } from '../source-deps.ts';
import { connectionUrl } from './connection-url.ts';
import type { DatabaseDriver, DatabaseSession } from './database.ts';
import { DatabaseTrouble } from './database-trouble.ts';
import { type AskedColumn, askedColumns } from './declared-columns.ts';
import { missingTable } from './database-errors.ts';
import { inSession } from './in-session.ts';
import { rangeSql } from './range-sql.ts';
import { RowFile } from './row-file.ts';
import { fromOf } from './table-sql.ts';
import { valueSql } from './text-values.ts';

/**
 * Errors: HR_CONFIG for a variable that isn't set and for what the database refuses; HR_SOURCE_UNREADABLE for a table or
 * column that isn't there or is of another type; HR_SOURCE_UNAVAILABLE for a database that can't be reached, that ends the
 * connection again and again, or that says nothing; HR_STORAGE_FULL. No message holds a secret.
 */
export async function pinDatabase(
  source: SourceSpec,
  driver: DatabaseDriver,
  range: EventRange,
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  const owner = `source "${source.name}"`;
  // The manifest was validated: a source of a database has one.
  const url = connectionUrl(owner, source.location['connection'] as string, driver, deps.remote?.variable);
  const folder = landedFolder(deps, source);
  await mkdir(folder, { recursive: true });
  const file = new RowFile(join(folder, `unfinished-${randomUUID()}.rows`));
  const connection = await deps.duckdb.connect();
  try {
    const columns = await inSession(url, owner, driver, deps, async (session) => {
      file.clear();
      return readRows(session, source, driver, range, file);
    });
    const values = columns.map(({ column, wire }, i) => {
      const { name, type } = source.columns[i] as SourceSpec['columns'][number];
      return `${valueSql(`t${i}`, wire.form, type, owner, column)} AS ${quoteName(name)}`;
    });
    const sql = `SELECT ${values.join(', ')} FROM ${file.relation(Math.max(columns.length, LEAST_COLUMNS))}`;
    return await landQuery(connection, source, sql, deps);
  } catch (error) {
    throw diskError(error, owner);
  } finally {
    connection.closeSync();
    await file.remove();
  }
}

/** A line that is empty would be no row: of one column, a second is asked for. */
const LEAST_COLUMNS = 2;

async function readRows(
  session: DatabaseSession,
  source: SourceSpec,
  driver: DatabaseDriver,
  range: EventRange,
  file: RowFile,
): Promise<readonly AskedColumn[]> {
  const from = fromOf(source, driver);
  const described = session.describe(from);
  const found = await described.catch(async (error: unknown) => {
    if (error instanceof DatabaseTrouble && error.kind === 'missing') throw await missingTable(source, error, session);
    throw error;
  });
  const columns = askedColumns(source, found);
  const asked = columns.map(({ wire }) => wire.sql);
  while (asked.length < LEAST_COLUMNS) asked.push("'-'");
  const selected = asked.map((sql, i) => `${sql} AS t${i}`).join(', ');
  await session.read(`SELECT ${selected} FROM ${from}${rangeSql(source, columns, range, driver)}`, file);
  return columns;
}

function diskError(error: unknown, owner: string): unknown {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) return error;
  return new HeadraceError('HR_STORAGE_FULL', `${owner}: the disk is full. Free space and run it again.`, {
    cause: error,
  });
}

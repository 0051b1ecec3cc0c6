// Writes a dump's rows into tables that the migrations of its time have made, and lets the database count on after them.

import { type Kysely, sql } from 'kysely';
import { HeadraceError, messageOf } from '../../core/index.ts';
import type { DatabaseKind } from '../database/database.ts';
import { fromLine } from './row-line.ts';
import type { TableLayout } from './table-layout.ts';

/** Postgres takes 65,535 values in a statement, SQLite 32,766. */
const VALUES_AT_ONCE = 20_000;
const ROWS_AT_ONCE = 500;

/** Gives how many there were; the table is empty before. Throws HR_BACKUP_DAMAGED, HR_RESTORE_REFUSED. */
export async function loadTable(
  trx: Kysely<unknown>,
  kind: DatabaseKind,
  { name, columns }: TableLayout,
  lines: AsyncIterable<string>,
): Promise<number> {
  const most = Math.max(1, Math.min(ROWS_AT_ONCE, Math.floor(VALUES_AT_ONCE / columns.length)));
  let count = 0;
  let rows: string[] = [];
  const write = async (): Promise<void> => {
    if (rows.length === 0) return;
    const values = rows.map((line) => sql`(${sql.join(fromLine(line, columns.length))})`);
    const into = sql`insert into ${sql.table(name)} (${sql.join(columns.map((column) => sql.ref(column)))})`;
    try {
      await sql`${into} values ${sql.join(values)}`.execute(trx);
    } catch (cause) {
      if (cause instanceof HeadraceError) throw cause;
      const where = `rows ${count + 1} to ${count + rows.length} of ${name}`;
      throw new HeadraceError('HR_RESTORE_REFUSED', `the database does not take ${where}: ${messageOf(cause)}`, {
        cause,
      });
    }
    count += rows.length;
    rows = [];
  };
  for await (const line of lines) {
    rows.push(line);
    if (rows.length >= most) await write();
  }
  await write();
  if (kind === 'postgres') await countOn(trx, name);
  return count;
}

/** SQLite does by itself. */
async function countOn(trx: Kysely<unknown>, name: string): Promise<void> {
  const given = sql<{
    name: string;
  }>`select column_name as name from information_schema.columns where table_schema = current_schema() and table_name = ${name} and column_default like 'nextval(%'`;
  for (const { name: column } of (await given.execute(trx)).rows) {
    const next = sql`select coalesce(max(${sql.ref(column)}), 0) + 1 from ${sql.table(name)}`;
    await sql`select setval(pg_get_serial_sequence(${name}, ${column}), (${next}), false)`.execute(trx);
  }
}

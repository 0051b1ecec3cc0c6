// Reads a table row by row inside a snapshot, a few hundred at a time, whatever its size.

import { type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database/database.ts';
import type { TableLayout } from './table-layout.ts';
import { toLine } from './row-line.ts';

const ROWS_AT_ONCE = 500;

type Row = Readonly<Record<string, unknown>>;

/** Its rows as lines; `trx` is a snapshot. */
export async function* readTable(
  trx: Kysely<unknown>,
  kind: DatabaseKind,
  { name, columns }: TableLayout,
): AsyncIterable<string> {
  const rows = kind === 'sqlite' ? bySqlite(trx, name, columns) : byPostgres(trx, name, columns);
  for await (const row of rows) yield toLine(columns.map((column) => row[column]));
}

const ROWID = '__hr_rowid';

async function* bySqlite(trx: Kysely<unknown>, name: string, columns: readonly string[]): AsyncIterable<Row> {
  const selected = sql.join(columns.map((column) => sql.ref(column)));
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const part = sql<Row>`select rowid as ${sql.ref(ROWID)}, ${selected} from ${sql.table(name)} where rowid > ${after} order by rowid limit ${ROWS_AT_ONCE}`;
    const { rows } = await part.execute(trx);
    yield* rows;
    if (rows.length < ROWS_AT_ONCE) return;
    after = Number(rows.at(-1)?.[ROWID]);
  }
}

async function* byPostgres(trx: Kysely<unknown>, name: string, columns: readonly string[]): AsyncIterable<Row> {
  const cursor = sql.ref(`dump_${name}`);
  const selected = sql.join(columns.map((column) => sql.ref(column)));
  await sql`declare ${cursor} cursor for select ${selected} from ${sql.table(name)}`.execute(trx);
  for (;;) {
    const { rows } = await sql<Row>`fetch ${sql.lit(ROWS_AT_ONCE)} from ${cursor}`.execute(trx);
    yield* rows;
    if (rows.length < ROWS_AT_ONCE) break;
  }
  await sql`close ${cursor}`.execute(trx);
}

// A database as lines, table by table, as it was at one moment; and back, into SQLite or Postgres, whichever it came from.
// Taken back it has the schema that it had, and then every migration since: all in one transaction, whole or not at all.

import { type Kysely, sql } from 'kysely';
import { HeadraceError } from '../../core/index.ts';
import type { Database } from '../database/database.ts';
import { loadTable } from './load-table.ts';
import { readTable } from './read-table.ts';
import {
  appliedMigrations,
  insideOf,
  layoutAfter,
  limitedTo,
  type MigrateAll,
  type MigrationId,
  MIGRATIONS_TABLE,
  type TableLayout,
} from './table-layout.ts';

export interface DumpedDatabase {
  readonly migrations: readonly MigrationId[];
  readonly tables: readonly TableLayout[];
}

/**
 * Calls `take` with the tables of one moment; what it reads inside is of that moment, however long it takes. Throws
 * HR_NOTHING_APPLIED for a database that was never used, HR_BACKUP_NEWER where a later Headrace has migrated it.
 */
export async function dumpDatabase<R>(
  database: Database,
  migrateAll: MigrateAll,
  take: (dumped: DumpedDatabase, read: TableReader, trx: Kysely<unknown>) => Promise<R>,
): Promise<R> {
  const known = new Set((await layoutAfter(migrateAll)).migrations);
  return database.transaction<unknown, R>(
    async (trx) => {
      const applied = await appliedMigrations(trx);
      if (applied.size === 0) {
        throw new HeadraceError('HR_NOTHING_APPLIED', 'the registry holds nothing yet: there is nothing to keep');
      }
      refuseNewer(applied, known, 'the registry');
      const { tables, migrations } = await layoutAfter(migrateAll, applied);
      return await take({ tables, migrations }, (table) => readTable(trx, database.kind, table), trx);
    },
    { isSnapshot: true },
  );
}

export type TableReader = (table: TableLayout) => AsyncIterable<string>;

/** Tables with rows that nobody's migration put there, with how many. Throws HR_BACKUP_NEWER as `dumpDatabase` does. */
export async function findRows(db: Kysely<unknown>, migrateAll: MigrateAll): Promise<ReadonlyMap<string, number>> {
  const applied = await appliedMigrations(db);
  const found = new Map<string, number>();
  if (applied.size === 0) return found;
  const known = new Set((await layoutAfter(migrateAll)).migrations);
  refuseNewer(applied, known, 'the registry');
  const { tables, fresh } = await layoutAfter(migrateAll, applied);
  for (const { name } of tables) {
    const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(name)}`.execute(db);
    const count = rows[0]?.count ?? 0;
    if (count > (fresh.get(name) ?? 0)) found.set(name, count);
  }
  return found;
}

export interface LoadRequest {
  readonly dumped: DumpedDatabase;
  readonly lines: TableReader;
  readonly migrateAll: MigrateAll;
  /** Whether to go on, told which tables hold rows that would go. Throws where not. */
  readonly confirm: (rows: ReadonlyMap<string, number>) => void;
  /** What is not true any more at another place; in the same transaction, by the schema of the dump. */
  readonly settle: (trx: Kysely<unknown>, rows: ReadonlyMap<string, number>) => Promise<void>;
}

/** Gives the number of rows by table. Throws HR_BACKUP_NEWER, HR_BACKUP_DAMAGED, HR_RESTORE_REFUSED. */
export async function loadDatabase(database: Database, request: LoadRequest): Promise<ReadonlyMap<string, number>> {
  const { dumped, lines, migrateAll, confirm, settle } = request;
  const level = new Set(dumped.migrations);
  refuseNewer(level, new Set((await layoutAfter(migrateAll)).migrations), 'the backup');
  const { tables } = await layoutAfter(migrateAll, level);
  refuseOther(dumped.tables, tables);
  return database.transaction<unknown, ReadonlyMap<string, number>>(
    async (trx) => {
      confirm(await findRows(trx, migrateAll));
      await dropTables(trx, migrateAll);
      const inside = insideOf(trx, database.kind);
      await migrateAll(limitedTo(inside, level));
      const counts = new Map<string, number>();
      for (const table of tables.toReversed()) await sql`delete from ${sql.table(table.name)}`.execute(trx);
      for (const table of tables) counts.set(table.name, await loadTable(trx, database.kind, table, lines(table)));
      await settle(trx, counts);
      await migrateAll(inside);
      return counts;
    },
    { serializedBy: 'registry' },
  );
}

/** Throws HR_BACKUP_NEWER. */
function refuseNewer(applied: ReadonlySet<MigrationId>, known: ReadonlySet<MigrationId>, what: string): void {
  const newer = [...applied].filter((id) => !known.has(id));
  if (newer.length === 0) return;
  throw new HeadraceError(
    'HR_BACKUP_NEWER',
    `${what} is of a later version of Headrace than this one, which does not know the migrations ${newer.join(', ')}. Use that version.`,
  );
}

/** A column that the migrations of then don't make would be lost without a word. */
function refuseOther(dumped: readonly TableLayout[], made: readonly TableLayout[]): void {
  const text = (tables: readonly TableLayout[]): string =>
    tables
      .map(({ name, columns }) => `${name}(${columns.join()})`)
      .toSorted()
      .join();
  if (text(dumped) === text(made)) return;
  throw new HeadraceError('HR_BACKUP_DAMAGED', 'the tables of the backup are not those of its migrations');
}

/** All that any migration made; those of others in the same Postgres stay. */
async function dropTables(trx: Kysely<unknown>, migrateAll: MigrateAll): Promise<void> {
  const applied = await appliedMigrations(trx);
  if (applied.size === 0) return;
  const { tables } = await layoutAfter(migrateAll, applied);
  for (const { name } of tables.toReversed()) await sql`drop table if exists ${sql.table(name)}`.execute(trx);
  await sql`delete from ${sql.table(MIGRATIONS_TABLE)}`.execute(trx);
}

// Which tables a database has at a state of its migrations: found by applying those migrations to an empty one in memory, so
// that nobody has to list tables twice, and so that what else lies in a shared Postgres is left alone.

import { type Kysely, sql } from 'kysely';
import { HeadraceError } from '../../core/index.ts';
import type { Database, Migration } from '../database/database.ts';
import { runMigrations } from '../database/migrate.ts';
import { openSqlite } from '../database/sqlite/open-sqlite.ts';

/** `owner: name` of a migration. */
export type MigrationId = string;

/** Brings all tables of all owners up to date in the database that it is given. */
export type MigrateAll = (database: Database) => Promise<void>;

export interface TableLayout {
  readonly name: string;
  readonly columns: readonly string[];
}

export interface DatabaseLayout {
  /** Those that others refer to come first. */
  readonly tables: readonly TableLayout[];
  /** What a table holds before anybody wrote to it: the lines of its rows, sorted. */
  readonly fresh: ReadonlyMap<string, number>;
  /** In the order in which they were applied. */
  readonly migrations: readonly MigrationId[];
}

export const MIGRATIONS_TABLE = 'headrace_migrations';

export const migrationId = (owner: string, name: string): MigrationId => `${owner}: ${name}`;

/** The layout after those of `only`, or all migrations where it is left out. */
export async function layoutAfter(migrateAll: MigrateAll, only?: ReadonlySet<MigrationId>): Promise<DatabaseLayout> {
  const memory = await openSqlite(':memory:', 'write');
  try {
    const migrations: MigrationId[] = [];
    await migrateAll(limitedTo(memory, only, (id) => migrations.push(id)));
    const db = memory.tables<Record<string, never>>();
    const names = (await db.introspection.getTables())
      .map(({ name }) => name)
      .filter((name) => name !== MIGRATIONS_TABLE);
    const found = new Map<string, { columns: string[]; refersTo: Set<string> }>();
    const fresh = new Map<string, number>();
    for (const name of names) {
      const columns = await sql<{ name: string }>`select name from pragma_table_info(${name})`.execute(db);
      const keys = await sql<{ table: string }>`select "table" from pragma_foreign_key_list(${name})`.execute(db);
      const rows = await sql<{ count: number }>`select count(*) as count from ${sql.table(name)}`.execute(db);
      found.set(name, {
        columns: columns.rows.map((column) => column.name),
        refersTo: new Set(keys.rows.map(({ table }) => table).filter((table) => table !== name)),
      });
      fresh.set(name, rows.rows[0]?.count ?? 0);
    }
    return { tables: inOrder(found), fresh, migrations };
  } finally {
    await memory.close();
  }
}

/** A database of which `migrateAll` applies the migrations of `only`, and tells each that there is. */
export function limitedTo(
  database: Database,
  only: ReadonlySet<MigrationId> | undefined,
  onMigration: (id: MigrationId) => void = () => {},
): Database {
  const limited: Database = {
    ...database,
    async migrate(owner, migrations) {
      const wanted = migrations.filter(({ name }) => only?.has(migrationId(owner, name)) ?? true);
      for (const { name } of wanted) onMigration(migrationId(owner, name));
      await runMigrations(limited, owner, wanted);
      return limited;
    },
  };
  return limited;
}

/** The same inside an open transaction, whose end decides on the migrations too. */
export function insideOf(trx: Kysely<unknown>, kind: Database['kind']): Database {
  // Row types are the caller's: each owner knows its own tables.
  const tables = <T>(): Kysely<T> => trx as unknown as Kysely<T>;
  const database: Database = {
    kind,
    tables,
    transaction: (work) => work(tables()),
    async migrate(owner: string, migrations: readonly Migration[]) {
      await runMigrations(database, owner, migrations);
      return database;
    },
    listen: async () => {
      throw new HeadraceError('HR_INTERNAL', 'inside a transaction nobody is told of changes');
    },
    close: async () => {},
  };
  return database;
}

/** What was applied to a database; none where it never was. */
export async function appliedMigrations(db: Kysely<unknown>): Promise<ReadonlySet<MigrationId>> {
  const tables = await db.introspection.getTables();
  if (!tables.some(({ name }) => name === MIGRATIONS_TABLE)) return new Set();
  const rows = await sql<{
    owner: string;
    name: string;
  }>`select owner, name from ${sql.table(MIGRATIONS_TABLE)}`.execute(db);
  return new Set(rows.rows.map(({ owner, name }) => migrationId(owner, name)));
}

function inOrder(found: ReadonlyMap<string, { columns: string[]; refersTo: ReadonlySet<string> }>): TableLayout[] {
  const ordered: TableLayout[] = [];
  const done = new Set<string>();
  while (done.size < found.size) {
    const next = [...found].filter(
      ([name, { refersTo }]) => !done.has(name) && [...refersTo].every((one) => done.has(one)),
    );
    if (next.length === 0) throw new HeadraceError('HR_INTERNAL', 'tables refer to each other in a circle');
    for (const [name, { columns }] of next.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      ordered.push({ name, columns });
      done.add(name);
    }
  }
  return ordered;
}

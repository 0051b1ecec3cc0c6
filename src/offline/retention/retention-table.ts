// Retention's own tables in the registry: when it last looked, and of which sources it ever took events.

import type { Micros } from '../../core/index.ts';
import type { Database, Migration } from '../../storage/index.ts';

export interface RetentionTable {
  /** By the clock of whoever looked; undefined before the first time. */
  lastLook(): Promise<Micros | undefined>;
  noteLook(at: Micros): Promise<void>;
  /** To be called before the events go. */
  noteSources(names: readonly string[]): Promise<void>;
}

interface Tables {
  /** One row. */
  retention_looks: { at_micros: number };
  retention_sources: { source: string };
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-retention',
    async up(db) {
      await db.schema
        .createTable('retention_looks')
        .addColumn('at_micros', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('retention_sources')
        .addColumn('source', 'text', (column) => column.primaryKey())
        .execute();
    },
  },
];

/** Gives the database that has the tables. */
export function migrateRetention(database: Database): Promise<Database> {
  return database.migrate('offline-retention', MIGRATIONS);
}

export async function openRetentionTable(opened: Database): Promise<RetentionTable> {
  const database = await migrateRetention(opened);
  return {
    async lastLook() {
      const row = await database.tables<Tables>().selectFrom('retention_looks').selectAll().executeTakeFirst();
      return row?.at_micros;
    },
    noteLook: (at) =>
      database.transaction<Tables, void>(
        async (trx) => {
          await trx.deleteFrom('retention_looks').execute();
          await trx.insertInto('retention_looks').values({ at_micros: at }).execute();
        },
        { serializedBy: 'retention_looks' },
      ),
    async noteSources(names) {
      if (names.length === 0) return;
      await database
        .tables<Tables>()
        .insertInto('retention_sources')
        .values(names.map((source) => ({ source })))
        .onConflict((conflict) => conflict.column('source').doNothing())
        .execute();
    },
  };
}

/** Whether events that were pushed to a source were removed: then it was pushed to, though its log may be empty. */
export async function hasRemovedEvents(opened: Database, source: string): Promise<boolean> {
  const database = await migrateRetention(opened);
  const row = await database
    .tables<Tables>()
    .selectFrom('retention_sources')
    .selectAll()
    .where('source', '=', source)
    .executeTakeFirst();
  return row !== undefined;
}

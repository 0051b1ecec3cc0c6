// Which registry a database holds: a name drawn when its tables are made, so that an online store, or a folder of the event
// log, that another registry has filled is told apart from this one's. A copy of the database's files has the name that it
// was copied with, for it is the same registry at an earlier time; a restored backup is another registry.

import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { RowsOwner } from '../rows-owner.ts';
import type { Database, Migration } from './database.ts';

interface Tables {
  /** One row. */
  headrace_registry: { id: string };
}

const newId = (): string => randomBytes(6).toString('hex');

const migrations: readonly Migration[] = [
  {
    name: '0001-registry',
    async up(db) {
      await db.schema
        .createTable('headrace_registry')
        .addColumn('id', 'text', (column) => column.notNull())
        .execute();
      // The table that was just made is in it.
      await (db as Kysely<Tables>).insertInto('headrace_registry').values({ id: newId() }).execute();
    },
  },
];

export function migrateRegistryId(database: Database): Promise<Database> {
  return database.migrate('registry-id', migrations);
}

/** Twelve hexadecimal digits. */
export async function registryId(database: Database): Promise<string> {
  const migrated = await migrateRegistryId(database);
  const { id } = await migrated.tables<Tables>().selectFrom('headrace_registry').select('id').executeTakeFirstOrThrow();
  return id;
}

export const registryIdRows: RowsOwner = {
  table: 'headrace_registry',
  async settle(trx) {
    // The registry that was backed up may still be at work beside this one.
    await (trx as Kysely<Tables>).updateTable('headrace_registry').set({ id: newId() }).execute();
  },
};

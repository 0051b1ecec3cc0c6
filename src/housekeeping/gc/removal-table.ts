// What was decided to go and may not be gone yet: a row each, written with the removal of its rows and dropped once its files
// and objects are away. So a process that is killed between the two leaves a note for the next.

import type { Kysely } from 'kysely';
import { parseJson, stringifyJson } from '../../core/index.ts';
import type { Database, Migration, Removable } from '../../storage/index.ts';

interface Tables {
  housekeeping_removals: { collector: string; item: string; removable: string };
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '0001-removals',
    async up(db) {
      await db.schema
        .createTable('housekeeping_removals')
        .addColumn('collector', 'text', (column) => column.notNull())
        .addColumn('item', 'text', (column) => column.notNull())
        .addColumn('removable', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('housekeeping_removals_key', ['collector', 'item'])
        .execute();
    },
  },
];

/** Gives the database that has the table. */
export function migrateHousekeeping(database: Database): Promise<Database> {
  return database.migrate('housekeeping', MIGRATIONS);
}

/** In a transaction; false where another run has decided the same, and is at it. */
export async function noteRemoval(opened: Kysely<unknown>, collector: string, item: Removable): Promise<boolean> {
  // Housekeeping's own table is in it.
  const { numInsertedOrUpdatedRows } = await (opened as Kysely<Tables>)
    .insertInto('housekeeping_removals')
    .values({ collector, item: item.id, removable: stringifyJson(item) })
    .onConflict((conflict) => conflict.columns(['collector', 'item']).doNothing())
    .executeTakeFirst();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

export async function dropRemoval(opened: Kysely<unknown>, collector: string, item: string): Promise<void> {
  await (opened as Kysely<Tables>)
    .deleteFrom('housekeeping_removals')
    .where('collector', '=', collector)
    .where('item', '=', item)
    .execute();
}

/** Of all collectors, as far as they are noted. */
export async function pendingRemovals(
  database: Database,
): Promise<readonly { readonly collector: string; readonly item: Removable }[]> {
  const rows = await database.tables<Tables>().selectFrom('housekeeping_removals').selectAll().execute();
  // noteRemoval wrote it.
  return rows.map(({ collector, removable }) => ({ collector, item: parseJson(removable) as unknown as Removable }));
}

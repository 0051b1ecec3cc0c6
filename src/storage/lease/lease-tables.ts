// Leases as rows: who holds a name, by which epoch, and until when by the database's own clock.

import type { Kysely } from 'kysely';
import type { Database, Migration } from '../database/database.ts';
import type { RowsOwner } from '../rows-owner.ts';

export interface LeaseTables {
  /** A row stays when its lease ends: epochs of a name never start again. `until` is 0 where it was given back. */
  headrace_leases: { name: string; holder: string; epoch: number; until: number };
}

const migrations: readonly Migration[] = [
  {
    name: '0001-leases',
    async up(db) {
      await db.schema
        .createTable('headrace_leases')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('holder', 'text', (column) => column.notNull())
        .addColumn('epoch', 'bigint', (column) => column.notNull())
        .addColumn('until', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
];

export function migrateLeases(database: Database): Promise<Database> {
  return database.migrate('leases', migrations);
}

export const leaseRows: RowsOwner = {
  table: 'headrace_leases',
  async settle(trx) {
    // Whoever held one is at another place. Epochs stay: rows of others name them. The table is in it.
    await (trx as Kysely<LeaseTables>).updateTable('headrace_leases').set({ until: 0 }).execute();
  },
};

// The quarantine's own tables: pushed rows that were set apart, and which rows of files were put back.

import type { Database, Migration } from '../../storage/index.ts';

export interface QuarantineTables {
  quarantine_rows: {
    id: string;
    source: string;
    /** JSON, as it is pushed. */
    row: string;
    /** JSON list of what it broke. */
    reasons: string;
    arrived_micros: number;
    bytes: number;
    /** Of a row of a feed: which, and its place there. */
    feed: string | null;
    place: number | null;
    /** `releasing`: it is being pushed again, under the key of its batch. Of a dropped one only the id is left. */
    state: 'held' | 'releasing' | 'released' | 'dropped';
    batch: string | null;
    ended_micros: number | null;
    ended_by: string | null;
    end_reason: string | null;
  };
  quarantine_releases: {
    seq: number;
    source: string;
    columns: string;
    hash: string;
    row: string;
    released_micros: number;
    released_by: string;
    reason: string | null;
  };
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-quarantine',
    async up(db) {
      await db.schema
        .createTable('quarantine_rows')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('source', 'text', (column) => column.notNull())
        .addColumn('row', 'text', (column) => column.notNull())
        .addColumn('reasons', 'text', (column) => column.notNull())
        .addColumn('arrived_micros', 'bigint', (column) => column.notNull())
        .addColumn('bytes', 'bigint', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('batch', 'text')
        .addColumn('ended_micros', 'bigint')
        .addColumn('ended_by', 'text')
        .addColumn('end_reason', 'text')
        .execute();
      await db.schema
        .createIndex('quarantine_rows_source')
        .on('quarantine_rows')
        .columns(['source', 'state'])
        .execute();
      await db.schema
        .createTable('quarantine_releases')
        .addColumn('seq', 'bigint', (column) => column.primaryKey())
        .addColumn('source', 'text', (column) => column.notNull())
        .addColumn('columns', 'text', (column) => column.notNull())
        .addColumn('hash', 'text', (column) => column.notNull())
        .addColumn('row', 'text', (column) => column.notNull())
        .addColumn('released_micros', 'bigint', (column) => column.notNull())
        .addColumn('released_by', 'text', (column) => column.notNull())
        .addColumn('reason', 'text')
        .execute();
    },
  },
  {
    name: '002-feeds',
    async up(db) {
      await db.schema.alterTable('quarantine_rows').addColumn('feed', 'text').execute();
      await db.schema.alterTable('quarantine_rows').addColumn('place', 'bigint').execute();
      await db.schema
        .createIndex('quarantine_rows_feed')
        .on('quarantine_rows')
        .columns(['source', 'feed', 'place'])
        .execute();
    },
  },
];

/** Gives the database that has the tables. */
export function migrateQuarantine(database: Database): Promise<Database> {
  return database.migrate('quarantine', MIGRATIONS);
}

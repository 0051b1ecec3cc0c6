// The table of scheduled checks of what was served: one row a check of an endpoint.

import type { Database, Migration } from '../../storage/index.ts';

export interface SkewTables {
  monitoring_skew_checks: {
    endpoint: string;
    at_micros: number;
    from_micros: number;
    /** JSON: a `SkewCheck`, without what stands beside it. */
    body: string;
  };
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-skew',
    async up(db) {
      await db.schema
        .createTable('monitoring_skew_checks')
        .addColumn('endpoint', 'text', (column) => column.notNull())
        .addColumn('at_micros', 'bigint', (column) => column.notNull())
        .addColumn('from_micros', 'bigint', (column) => column.notNull())
        .addColumn('body', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('monitoring_skew_checks_key', ['endpoint', 'at_micros'])
        .execute();
    },
  },
];

/** Gives the database that has the table. */
export function migrateSkew(database: Database): Promise<Database> {
  return database.migrate('monitoring-skew', MIGRATIONS);
}

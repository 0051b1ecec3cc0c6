// The tables of quality: each day of each arm, and what holds of an arm as a whole. Days stay when their log is gone.

import type { Database, Migration } from '../../storage/index.ts';

export interface QualityTables {
  monitoring_quality_days: {
    endpoint: string;
    variant: string;
    model: string;
    version: number;
    /** Days since 1970. */
    day: number;
    rows: number;
    labelled: number;
    recorded_micros: number;
    /** JSON: a `MeasuredDay`, with the task. */
    body: string;
  };
  monitoring_quality_arms: {
    endpoint: string;
    variant: string;
    model: string;
    version: number;
    measured_micros: number;
    /** JSON: coverage by age, segments. */
    body: string;
  };
}

const KEY = ['endpoint', 'variant', 'model', 'version'] as const;

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-quality',
    async up(db) {
      await db.schema
        .createTable('monitoring_quality_days')
        .addColumn('endpoint', 'text', (column) => column.notNull())
        .addColumn('variant', 'text', (column) => column.notNull())
        .addColumn('model', 'text', (column) => column.notNull())
        .addColumn('version', 'integer', (column) => column.notNull())
        .addColumn('day', 'integer', (column) => column.notNull())
        .addColumn('rows', 'bigint', (column) => column.notNull())
        .addColumn('labelled', 'bigint', (column) => column.notNull())
        .addColumn('recorded_micros', 'bigint', (column) => column.notNull())
        .addColumn('body', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('monitoring_quality_days_key', [...KEY, 'day'])
        .execute();
      await db.schema
        .createTable('monitoring_quality_arms')
        .addColumn('endpoint', 'text', (column) => column.notNull())
        .addColumn('variant', 'text', (column) => column.notNull())
        .addColumn('model', 'text', (column) => column.notNull())
        .addColumn('version', 'integer', (column) => column.notNull())
        .addColumn('measured_micros', 'bigint', (column) => column.notNull())
        .addColumn('body', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('monitoring_quality_arms_key', [...KEY])
        .execute();
    },
  },
];

/** Gives the database that has the tables. */
export function migrateQuality(database: Database): Promise<Database> {
  return database.migrate('monitoring-quality', MIGRATIONS);
}

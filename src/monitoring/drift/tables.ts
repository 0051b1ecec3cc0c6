// The tables of drift: references by what they were made from, what each window held of a feature, and how far each arm of an
// endpoint was looked at. Windows stay when the log they were counted from is gone.

import { sql } from 'kysely';
import type { Database, Migration } from '../../storage/index.ts';

export interface DriftTables {
  monitoring_references: {
    id: string;
    created_micros: number;
    /** JSON: a `Reference`. */
    body: string;
  };
  monitoring_drift_arms: {
    endpoint: string;
    variant: string;
    model: string;
    version: number;
    size_micros: number;
    /** Null where there is none to hold it against, with why. */
    reference: string | null;
    lacks: string | null;
    /** Up to it everything is counted, or waits. */
    checked_micros: number;
    /** The end of the last hour or day with rows. */
    seen_micros: number;
    waiting_rows: number;
  };
  monitoring_drift_windows: {
    endpoint: string;
    variant: string;
    model: string;
    version: number;
    size_micros: number;
    kind: 'feature' | 'output';
    feature: string;
    from_micros: number;
    to_micros: number;
    reference: string;
    rows: number;
    units: number;
    /** JSON: `WindowCounts`. */
    counts: string;
  };
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-drift',
    async up(db) {
      await db.schema
        .createTable('monitoring_references')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('created_micros', 'bigint', (column) => column.notNull())
        .addColumn('body', 'text', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('monitoring_drift_arms')
        .addColumn('endpoint', 'text', (column) => column.notNull())
        .addColumn('variant', 'text', (column) => column.notNull())
        .addColumn('model', 'text', (column) => column.notNull())
        .addColumn('version', 'integer', (column) => column.notNull())
        .addColumn('size_micros', 'bigint', (column) => column.notNull())
        .addColumn('reference', 'text')
        .addColumn('lacks', 'text')
        .addColumn('checked_micros', 'bigint', (column) => column.notNull())
        .addColumn('seen_micros', 'bigint', (column) => column.notNull())
        .addColumn('waiting_rows', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('monitoring_drift_arms_key', [
          'endpoint',
          'variant',
          'model',
          'version',
          'size_micros',
        ])
        .execute();
      await db.schema
        .createTable('monitoring_drift_windows')
        .addColumn('endpoint', 'text', (column) => column.notNull())
        .addColumn('variant', 'text', (column) => column.notNull())
        .addColumn('model', 'text', (column) => column.notNull())
        .addColumn('version', 'integer', (column) => column.notNull())
        .addColumn('size_micros', 'bigint', (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('feature', 'text', (column) => column.notNull())
        .addColumn('from_micros', 'bigint', (column) => column.notNull())
        .addColumn('to_micros', 'bigint', (column) => column.notNull())
        .addColumn('reference', 'text', (column) => column.notNull())
        .addColumn('rows', 'bigint', (column) => column.notNull())
        .addColumn('units', 'bigint', (column) => column.notNull())
        .addColumn('counts', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('monitoring_drift_windows_key', [
          'endpoint',
          'variant',
          'model',
          'version',
          'size_micros',
          'from_micros',
          'kind',
          'feature',
        ])
        .execute();
      await sql`create index monitoring_drift_windows_time on monitoring_drift_windows (endpoint, size_micros, to_micros)`.execute(
        db,
      );
    },
  },
];

/** Gives the database that has the tables. */
export function migrateDrift(database: Database): Promise<Database> {
  return database.migrate('monitoring-drift', MIGRATIONS);
}

// The tables of alerts: what is wrong or was, what shall not be told for a while, what waits to be told, and when each monitor
// has last done its work.

import type { Database, Migration } from '../../storage/index.ts';

export interface AlertTables {
  monitoring_alerts: {
    id: string;
    rule: string;
    /** Empty where it is of none. */
    endpoint: string;
    feature: string;
    /** `pending`: it has fired, and not often enough. Of one key at most one row is not closed. */
    state: 'pending' | 'open' | 'closed';
    /** Firing windows running while pending, quiet ones while open. */
    streak: number;
    /** The newest window that counted. */
    seen_micros: number;
    opened_micros: number | null;
    closed_micros: number | null;
    /** JSON. */
    evidence: string;
    /** 1 once its opening was put into the outbox. */
    is_told: number;
  };
  monitoring_silences: {
    id: string;
    rule: string;
    /** Null: all. */
    endpoint: string | null;
    feature: string | null;
    from_micros: number;
    until_micros: number;
    actor: string;
    reason: string | null;
  };
  monitoring_outbox: {
    /** Of the event: the receiver knows a repeat by it. */
    id: string;
    alert: string;
    event: 'opened' | 'closed';
    /** JSON, as it is sent. */
    body: string;
    created_micros: number;
    attempts: number;
    next_micros: number;
  };
  monitoring_heartbeats: {
    monitor: string;
    every_micros: number;
    finished_micros: number;
  };
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-alerts',
    async up(db) {
      await db.schema
        .createTable('monitoring_alerts')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('rule', 'text', (column) => column.notNull())
        .addColumn('endpoint', 'text', (column) => column.notNull())
        .addColumn('feature', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('streak', 'integer', (column) => column.notNull())
        .addColumn('seen_micros', 'bigint', (column) => column.notNull())
        .addColumn('opened_micros', 'bigint')
        .addColumn('closed_micros', 'bigint')
        .addColumn('evidence', 'text', (column) => column.notNull())
        .addColumn('is_told', 'integer', (column) => column.notNull())
        .execute();
      await db.schema
        .createIndex('monitoring_alerts_key')
        .on('monitoring_alerts')
        .columns(['rule', 'endpoint', 'feature', 'seen_micros'])
        .execute();
      await db.schema
        .createIndex('monitoring_alerts_state')
        .on('monitoring_alerts')
        .columns(['state', 'opened_micros'])
        .execute();
      await db.schema
        .createTable('monitoring_silences')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('rule', 'text', (column) => column.notNull())
        .addColumn('endpoint', 'text')
        .addColumn('feature', 'text')
        .addColumn('from_micros', 'bigint', (column) => column.notNull())
        .addColumn('until_micros', 'bigint', (column) => column.notNull())
        .addColumn('actor', 'text', (column) => column.notNull())
        .addColumn('reason', 'text')
        .execute();
      await db.schema
        .createTable('monitoring_outbox')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('alert', 'text', (column) => column.notNull())
        .addColumn('event', 'text', (column) => column.notNull())
        .addColumn('body', 'text', (column) => column.notNull())
        .addColumn('created_micros', 'bigint', (column) => column.notNull())
        .addColumn('attempts', 'integer', (column) => column.notNull())
        .addColumn('next_micros', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('monitoring_heartbeats')
        .addColumn('monitor', 'text', (column) => column.primaryKey())
        .addColumn('every_micros', 'bigint', (column) => column.notNull())
        .addColumn('finished_micros', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
];

/** Gives the database that has the tables. */
export function migrateAlerts(database: Database): Promise<Database> {
  return database.migrate('monitoring-alerts', MIGRATIONS);
}

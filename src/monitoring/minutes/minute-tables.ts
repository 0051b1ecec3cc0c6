// The tables of minutes and hours. Counts are columns, for whoever asks by SQL; sketches and hashes are text.

import type { Kysely } from 'kysely';
import type { Database, Migration, RowsOwner } from '../../storage/index.ts';

interface Counts {
  requests: number;
  rows: number;
  errors: number;
  refused: number;
  rejected: number;
  slow: number;
  nulls: number;
  breaker_opens: number;
  /** JSON of a packed sketch. */
  latency: string;
}

export interface MinuteColumns extends Counts {
  kind: string;
  name: string;
  minute: number;
  variant: string;
  version: number;
  arm: string;
  revision: number;
  writer: string;
  sequence: number;
  reported_at: number;
  slow_micros: number | null;
  units: string;
  error_units: string;
  slow_units: string;
  null_units: string;
  /** JSON of `MinuteOutcomes`. */
  outcomes: string | null;
}

export interface HourColumns extends Counts {
  kind: string;
  name: string;
  hour: number;
  variant: string;
  version: number;
}

export interface MinuteTables {
  monitoring_minutes: MinuteColumns;
  /** Over all servers, arms and revisions of a version. */
  monitoring_hours: HourColumns;
  /** Of each server: up to when all that it counted is written, and when it last wrote, by the servers' shared clock. */
  monitoring_writers: { server: string; through: number; reported_at: number };
  /** What a row of an endpoint is slow past, in microseconds. */
  monitoring_slow_limits: { endpoint: string; micros: number; at: number };
  /** `step`: minute or hour. `freshness`: the newest counted event's age in seconds; `coverage`: a share of writers. */
  monitoring_views: {
    step: string;
    view: string;
    version: string;
    at: number;
    freshness: number | null;
    coverage: number;
    uncovered: number;
  };
  /** One row: up to when hours were made. */
  monitoring_rollup: { id: number; through: number };
}

const migrations: readonly Migration[] = [{ name: '0001-minutes', up: createTables }];

export function migrateMinutes(database: Database): Promise<Database> {
  return database.migrate('minutes', migrations);
}

export const minuteRows: RowsOwner = {
  table: 'monitoring_minutes',
  async settle(trx) {
    // Servers of another place: none of them is late. The tables are in it.
    const db = trx as Kysely<MinuteTables>;
    await db.deleteFrom('monitoring_writers').execute();
    await db.deleteFrom('monitoring_slow_limits').execute();
  },
};

const COUNTS = ['requests', 'rows', 'errors', 'refused', 'rejected', 'slow', 'nulls', 'breaker_opens'] as const;

async function createTables(db: Kysely<unknown>): Promise<void> {
  let minutes = db.schema
    .createTable('monitoring_minutes')
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('minute', 'bigint', (column) => column.notNull())
    .addColumn('variant', 'text', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('arm', 'text', (column) => column.notNull())
    .addColumn('revision', 'bigint', (column) => column.notNull())
    .addColumn('writer', 'text', (column) => column.notNull())
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addColumn('reported_at', 'bigint', (column) => column.notNull())
    .addColumn('slow_micros', 'bigint')
    .addColumn('latency', 'text', (column) => column.notNull());
  for (const name of COUNTS) minutes = minutes.addColumn(name, 'bigint', (column) => column.notNull());
  for (const name of ['units', 'error_units', 'slow_units', 'null_units'])
    minutes = minutes.addColumn(name, 'text', (column) => column.notNull());
  await minutes
    .addColumn('outcomes', 'text')
    .addPrimaryKeyConstraint('monitoring_minutes_key', [
      'kind',
      'name',
      'minute',
      'variant',
      'version',
      'arm',
      'revision',
      'writer',
    ])
    .execute();
  await db.schema.createIndex('monitoring_minutes_minute').on('monitoring_minutes').column('minute').execute();
  await db.schema.createIndex('monitoring_minutes_reported').on('monitoring_minutes').column('reported_at').execute();
  let hours = db.schema
    .createTable('monitoring_hours')
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('hour', 'bigint', (column) => column.notNull())
    .addColumn('variant', 'text', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('latency', 'text', (column) => column.notNull());
  for (const name of COUNTS) hours = hours.addColumn(name, 'bigint', (column) => column.notNull());
  await hours.addPrimaryKeyConstraint('monitoring_hours_key', ['kind', 'name', 'hour', 'variant', 'version']).execute();
  await db.schema.createIndex('monitoring_hours_hour').on('monitoring_hours').column('hour').execute();
  await db.schema
    .createTable('monitoring_writers')
    .addColumn('server', 'text', (column) => column.primaryKey())
    .addColumn('through', 'bigint', (column) => column.notNull())
    .addColumn('reported_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('monitoring_slow_limits')
    .addColumn('endpoint', 'text', (column) => column.primaryKey())
    .addColumn('micros', 'bigint', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('monitoring_views')
    .addColumn('step', 'text', (column) => column.notNull())
    .addColumn('view', 'text', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('version', 'text', (column) => column.notNull())
    .addColumn('freshness', 'double precision')
    .addColumn('coverage', 'double precision', (column) => column.notNull())
    .addColumn('uncovered', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('monitoring_views_key', ['step', 'view', 'at', 'version'])
    .execute();
  await db.schema.createIndex('monitoring_views_at').on('monitoring_views').columns(['step', 'at']).execute();
  await db.schema
    .createTable('monitoring_rollup')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('through', 'bigint', (column) => column.notNull())
    .execute();
}

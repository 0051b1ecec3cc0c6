// The event log's tables: writers, and where their shipped segments and cuts are. Nobody else reads them.

import type { ColumnDefinitionBuilder, Kysely } from 'kysely';
import type { Database, Migration } from '../../storage/index.ts';

export interface EventTables {
  event_writers: {
    number: number;
    token: string;
    machine: string;
    state: 'open' | 'ended' | 'forgotten';
    holder: number;
    cut: number;
    shipped: number;
    registered_micros: number;
    seen_micros: number;
    removed: number;
    /** Where the holder's folder lies; null where that is not known, and of a log in a topic. */
    place: string | null;
    /** Its offset when its holder last reported. */
    logged: number;
  };
  /** One row per shipped segment: an object, or a span of a partition. `end_…`: where the log stands after it. */
  event_segments: {
    writer: number;
    seq: number;
    bytes: number;
    /** Cuts of its first and last entry; null without entries. */
    first_cut: number | null;
    last_cut: number | null;
    end_cut: number;
    end_sealed: number;
    end_offset: number;
    /** 1 once the object is about to be deleted, 2 once it is and the row stays as the writer's last. */
    is_removed: number;
    /** JSON: [cut, source, rows] of its entries; null in rows of a time before it was kept. */
    contents: string | null;
    shipped_micros: number;
    /** Where it lies in its writer's partition; null for an object. */
    log_from: number | null;
    log_to: number | null;
  };
  /** Of a writer whose log lies in a topic: its partition, and who holds it. */
  event_partitions: {
    writer: number;
    topic: string;
    topic_id: string;
    partition: number;
    /** Of the first record of the writer; null before it is there. */
    from_offset: number | null;
    /** 1 while a process holds it, 0 once it was let go, to be settled by another; 2 once nobody will settle it again. */
    state: number;
    /** As in the writer's row: here too, so that one row tells who may change it. */
    holder: number;
    /** Rises for as long as its holder lives. */
    beat: number;
  };
  /** Cuts whose mark is in a shipped segment; `voids` is null until their seal is too. JSON. */
  event_cuts: { writer: number; cut: number; view: string; voids: string | null };
}

const eventMigrations: readonly Migration[] = [
  { name: '0001-events', up: createTables },
  { name: '0002-retention', up: addRetention },
  { name: '0003-partitions', up: addPartitions },
  { name: '0004-places', up: addPlaces },
  { name: '0005-logged', up: addLogged },
];

/** Gives the database that has the tables. */
export function migrateEventLog(database: Database): Promise<Database> {
  return database.migrate('events', eventMigrations);
}

async function createTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('event_writers')
    .addColumn('number', 'bigint', (column) => column.primaryKey())
    .addColumn('token', 'text', (column) => column.notNull())
    .addColumn('machine', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('holder', 'bigint', (column) => column.notNull())
    .addColumn('cut', 'bigint', (column) => column.notNull())
    .addColumn('shipped', 'bigint', (column) => column.notNull())
    .addColumn('registered_micros', 'bigint', (column) => column.notNull())
    .addColumn('seen_micros', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('event_segments')
    .addColumn('writer', 'bigint', (column) => column.notNull().references('event_writers.number'))
    .addColumn('seq', 'bigint', (column) => column.notNull())
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addColumn('first_cut', 'bigint')
    .addColumn('last_cut', 'bigint')
    .addColumn('end_cut', 'bigint', (column) => column.notNull())
    .addColumn('end_sealed', 'bigint', (column) => column.notNull())
    .addColumn('end_offset', 'bigint', (column) => column.notNull())
    .addColumn('is_removed', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('event_segments_key', ['writer', 'seq'])
    .execute();
  await db.schema
    .createTable('event_cuts')
    .addColumn('writer', 'bigint', (column) => column.notNull().references('event_writers.number'))
    .addColumn('cut', 'bigint', (column) => column.notNull())
    .addColumn('view', 'text', (column) => column.notNull())
    .addColumn('voids', 'text')
    .addPrimaryKeyConstraint('event_cuts_key', ['writer', 'cut'])
    .execute();
}

async function addRetention(db: Kysely<unknown>): Promise<void> {
  const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0);
  await db.schema.alterTable('event_writers').addColumn('removed', 'bigint', zero).execute();
  await db.schema.alterTable('event_segments').addColumn('contents', 'text').execute();
  await db.schema.alterTable('event_segments').addColumn('shipped_micros', 'bigint', zero).execute();
}

async function addPartitions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('event_partitions')
    .addColumn('writer', 'bigint', (column) => column.primaryKey().references('event_writers.number'))
    .addColumn('topic', 'text', (column) => column.notNull())
    .addColumn('topic_id', 'text', (column) => column.notNull())
    .addColumn('partition', 'bigint', (column) => column.notNull())
    .addColumn('from_offset', 'bigint')
    .addColumn('state', 'integer', (column) => column.notNull())
    .addColumn('holder', 'bigint', (column) => column.notNull())
    .addColumn('beat', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.alterTable('event_segments').addColumn('log_from', 'bigint').execute();
  await db.schema.alterTable('event_segments').addColumn('log_to', 'bigint').execute();
}

async function addPlaces(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('event_writers').addColumn('place', 'text').execute();
}

async function addLogged(db: Kysely<unknown>): Promise<void> {
  const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0);
  await db.schema.alterTable('event_writers').addColumn('logged', 'bigint', zero).execute();
}

// The tables of the fleet: workers that live, slices that they run, and how tasks ended. Drivers and workers meet here alone.

import { type Kysely, sql } from 'kysely';
import type { Database, Migration, RowsOwner } from '../../../storage/index.ts';

export type FleetSliceState = 'waiting' | 'running' | 'ended' | 'cancelled' | 'lost';

export interface FleetTables {
  /** A row is the lease of one worker: who finds it run out by the database's clock removes it, and whose it was writes nothing more. */
  fleet_workers: {
    id: string;
    /** CPUs that tasks may use at once. */
    slots: number;
    memory_bytes: number;
    /** How many tasks one slot takes ahead, of warm processes and of the others: by how long they take. */
    warm_ahead: number;
    process_ahead: number;
    /** 1: it runs where the project is, and can do what takes the project's stores. */
    has_project: number;
    until: number;
  };
  fleet_slices: {
    id: string;
    /** By the database's clock, in microseconds: first come, first served. */
    submitted: number;
    /** Who waits for it: it alone cancels it. */
    driver: string;
    spec: string;
    /** JSON: [[index, attempt]]. */
    tasks: string;
    /** JSON: what each of its tasks takes. */
    resources: string;
    state: FleetSliceState;
    worker: string | null;
    is_cancelled: number;
    changed: number;
  };
  /** What a worker told of a slice, in its order from 1: events as JSON. A slice has one worker, so that numbers come without gaps. */
  fleet_ends: { slice: string; number: number; events: string };
}

const migrations: readonly Migration[] = [
  {
    name: '0001-fleet',
    async up(db) {
      const statements = [
        `create table fleet_workers (id text primary key, slots double precision not null, memory_bytes bigint not null,
          warm_ahead integer not null, process_ahead integer not null, until bigint not null)`,
        `create table fleet_slices (id text primary key, submitted bigint not null, driver text not null, spec text not null,
          tasks text not null, resources text not null, state text not null, worker text, is_cancelled integer not null, changed bigint not null)`,
        `create index fleet_slices_waiting on fleet_slices (submitted) where state = 'waiting'`,
        `create index fleet_slices_running on fleet_slices (worker) where state = 'running'`,
        `create table fleet_ends (slice text not null, number integer not null, events text not null, primary key (slice, number))`,
      ];
      for (const statement of statements) await sql.raw(statement).execute(db);
    },
  },
  {
    name: '0002-projects',
    async up(db) {
      await sql.raw('alter table fleet_workers add column has_project integer not null default 0').execute(db);
    },
  },
];

export function migrateFleet(database: Database): Promise<Database> {
  return database.migrate('fleet', migrations);
}

export const fleetRows: RowsOwner = {
  table: 'fleet_slices',
  async settle(trx) {
    // Workers are at another place, and run nothing of what these rows say. The tables are in it.
    const db = trx as Kysely<FleetTables>;
    await db.deleteFrom('fleet_workers').execute();
    await db.updateTable('fleet_slices').set({ state: 'lost' }).where('state', 'in', ['waiting', 'running']).execute();
  },
};

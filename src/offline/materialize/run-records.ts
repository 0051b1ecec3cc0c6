// Materialize's own tables: what each run did, and which view is held by a run right now.

import { hostname } from 'node:os';
import { HeadraceError, isProcessAlive, type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import type { Database, Migration } from '../../storage/index.ts';

interface Tables {
  materialize_runs: RunRow;
  materialize_leases: { view: string; run: string; host: string; pid: number; expires_at_micros: number };
}

interface RunRow {
  id: string;
  view: string;
  /** 'incremental' or 'range'. */
  kind: string;
  from_micros: number | null;
  to_micros: number;
  /** 'running', 'finished' or 'failed'; a killed run stays 'running' without a lease. */
  state: string;
  keys_written: number;
  rows_in_range: number;
  rows_ignored: number;
  error: string | null;
  started_at_micros: number;
  ended_at_micros: number | null;
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-materialize-runs',
    async up(db) {
      await db.schema
        .createTable('materialize_runs')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('view', 'text', (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('from_micros', 'bigint')
        .addColumn('to_micros', 'bigint', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('keys_written', 'bigint', (column) => column.notNull())
        .addColumn('rows_in_range', 'bigint', (column) => column.notNull())
        .addColumn('rows_ignored', 'bigint', (column) => column.notNull())
        .addColumn('error', 'text')
        .addColumn('started_at_micros', 'bigint', (column) => column.notNull())
        .addColumn('ended_at_micros', 'bigint')
        .execute();
      await db.schema
        .createTable('materialize_leases')
        .addColumn('view', 'text', (column) => column.primaryKey())
        .addColumn('run', 'text', (column) => column.notNull())
        .addColumn('host', 'text', (column) => column.notNull())
        .addColumn('pid', 'bigint', (column) => column.notNull())
        .addColumn('expires_at_micros', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
];

/** A lease is renewed while its run lives; after a kill it ends by itself, or at once on the machine of the killed. */
export const LEASE_MICROS: Micros = 60 * MICROS_PER_SECOND;

export async function migrateMaterialize(database: Database): Promise<void> {
  await database.migrate('materialize', MIGRATIONS);
}

/** Takes the view for a run. Throws HR_MATERIALIZE_BUSY while another run holds it. */
export async function takeLease(database: Database, view: string, run: string, now: Micros): Promise<void> {
  await database.transaction<Tables, void>(
    async (trx) => {
      const held = await trx.selectFrom('materialize_leases').selectAll().where('view', '=', view).executeTakeFirst();
      if (held !== undefined && held.run !== run && held.expires_at_micros > now && isAlive(held.host, held.pid)) {
        throw new HeadraceError(
          'HR_MATERIALIZE_BUSY',
          `run ${held.run} (process ${held.pid} on ${held.host}) is materializing view "${view}". Wait for it to end.`,
        );
      }
      await trx.deleteFrom('materialize_leases').where('view', '=', view).execute();
      await trx
        .insertInto('materialize_leases')
        .values({ view, run, host: hostname(), pid: process.pid, expires_at_micros: now + LEASE_MICROS })
        .execute();
    },
    { serializedBy: 'materialize' },
  );
}

/** Whether the run still held the view, now held for longer. */
export async function renewLease(database: Database, view: string, run: string, now: Micros): Promise<boolean> {
  const { numUpdatedRows } = await database
    .tables<Tables>()
    .updateTable('materialize_leases')
    .set({ expires_at_micros: now + LEASE_MICROS })
    .where('view', '=', view)
    .where('run', '=', run)
    .executeTakeFirst();
  return Number(numUpdatedRows) > 0;
}

export async function endLease(database: Database, view: string, run: string): Promise<void> {
  await database
    .tables<Tables>()
    .deleteFrom('materialize_leases')
    .where('view', '=', view)
    .where('run', '=', run)
    .execute();
}

// A process of this machine that is gone holds nothing. Of another machine only the lease's end tells.
function isAlive(host: string, pid: number): boolean {
  return host !== hostname() || isProcessAlive(pid);
}

export interface RunStart {
  readonly id: string;
  readonly view: string;
  readonly kind: 'incremental' | 'range';
  readonly from: Micros | null;
  readonly to: Micros;
  readonly at: Micros;
}

export async function recordStart(database: Database, { id, view, kind, from, to, at }: RunStart): Promise<void> {
  await database
    .tables<Tables>()
    .insertInto('materialize_runs')
    .values({
      id,
      view,
      kind,
      from_micros: from,
      to_micros: to,
      state: 'running',
      keys_written: 0,
      rows_in_range: 0,
      rows_ignored: 0,
      error: null,
      started_at_micros: at,
      ended_at_micros: null,
    })
    .execute();
}

export interface RunEnd {
  readonly state: 'finished' | 'failed';
  readonly keysWritten: number;
  readonly rowsInRange: number;
  readonly rowsIgnored: number;
  readonly error: string | null;
  readonly at: Micros;
}

export async function recordEnd(database: Database, id: string, end: RunEnd): Promise<void> {
  await database
    .tables<Tables>()
    .updateTable('materialize_runs')
    .set({
      state: end.state,
      keys_written: end.keysWritten,
      rows_in_range: end.rowsInRange,
      rows_ignored: end.rowsIgnored,
      error: end.error,
      ended_at_micros: end.at,
    })
    .where('id', '=', id)
    .execute();
}

/** Every run of a view, the newest first. */
export async function readRuns(database: Database, view: string): Promise<readonly RunRow[]> {
  await migrateMaterialize(database);
  return database
    .tables<Tables>()
    .selectFrom('materialize_runs')
    .selectAll()
    .where('view', '=', view)
    .orderBy('started_at_micros', 'desc')
    .orderBy('id', 'desc')
    .execute();
}

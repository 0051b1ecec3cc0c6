// Schedulers as they look: a row each, by which people see whether any does, and what keeps it from making runs.

import { hostname } from 'node:os';
import { type Kysely, sql } from 'kysely';
import { type Micros, MICROS_PER_DAY, MICROS_PER_SECOND } from '../../core/index.ts';
import { clockText, type Database, type RowsOwner } from '../../storage/index.ts';

/** No run of it can be made there. */
export interface ScheduleFailure {
  readonly pipeline: string;
  readonly reason: string;
}

export interface SchedulerRow {
  readonly machine: string;
  readonly pid: number;
  /** How many runs it drives at once at most. */
  readonly atOnce: number;
  /** By the database's clock: since when it looks, when it last told that it did, and how long ago that was. */
  readonly since: Micros;
  readonly lookedAt: Micros;
  readonly silentMicros: Micros;
  /** It should have told again by now: it died, it is stopped, or it can't reach the database. */
  readonly isSilent: boolean;
  readonly failures: readonly ScheduleFailure[];
}

export interface SchedulerRows {
  /** Tells of this process that it looks; of others that have been silent for a day the rows go. */
  tell(owner: string, own: { readonly atOnce: number; readonly failures: readonly ScheduleFailure[] }): Promise<void>;
  /** It stops. */
  leave(owner: string): Promise<void>;
  /** The one that told last first. */
  list(): Promise<readonly SchedulerRow[]>;
}

/** How often a scheduler tells. */
export const TELL_MS = 10_000;
const SILENT_MICROS: Micros = 30 * MICROS_PER_SECOND;
/** Of one scheduler. */
const MOST_FAILURES = 100;

export const SCHEDULERS_TABLE = `create table pipeline_schedulers (
  owner text primary key, machine text not null, pid bigint not null, at_once bigint not null, since bigint not null,
  looked_at bigint not null, failures text not null)`;

interface SchedulerTables {
  pipeline_schedulers: {
    owner: string;
    machine: string;
    pid: number;
    at_once: number;
    since: number;
    looked_at: number;
    /** ScheduleFailure[], as JSON. */
    failures: string;
  };
}

/** `database` has the table: it is of the schedules. */
export function createSchedulerRows(database: Database): SchedulerRows {
  const db = (): Kysely<SchedulerTables> => database.tables<SchedulerTables>();
  const now = sql.raw<number>(clockText(database.kind));
  return {
    async tell(owner, { atOnce, failures: all }) {
      const failures = JSON.stringify(all.slice(0, MOST_FAILURES));
      await db()
        .insertInto('pipeline_schedulers')
        .values({
          owner,
          machine: hostname(),
          pid: process.pid,
          at_once: atOnce,
          since: now,
          looked_at: now,
          failures,
        })
        .onConflict((conflict) => conflict.column('owner').doUpdateSet({ looked_at: now, failures }))
        .execute();
      await db()
        .deleteFrom('pipeline_schedulers')
        .where('looked_at', '<', sql<number>`${now} - ${sql.lit(MICROS_PER_DAY)}`)
        .execute();
    },
    async leave(owner) {
      await db().deleteFrom('pipeline_schedulers').where('owner', '=', owner).execute();
    },
    async list() {
      const rows = await db().selectFrom('pipeline_schedulers').selectAll().select(now.as('now')).execute();
      return rows
        .map(({ machine, pid, at_once: atOnce, since, looked_at: lookedAt, failures, now: at }): SchedulerRow => {
          const silentMicros = Math.max(0, at - lookedAt);
          const isSilent = silentMicros > SILENT_MICROS;
          // As it was told here.
          const told = JSON.parse(failures) as ScheduleFailure[];
          return { machine, pid, atOnce, since, lookedAt, silentMicros, isSilent, failures: told };
        })
        .toSorted((a, b) => a.silentMicros - b.silentMicros);
    },
  };
}

/** At another place none looks. */
export const schedulerRows: RowsOwner = {
  table: 'pipeline_schedulers',
  async settle(trx) {
    // Its own table is in it.
    await (trx as Kysely<SchedulerTables>).deleteFrom('pipeline_schedulers').execute();
  },
};

// From when on ticks of a pipeline's schedule are due: a row a pipeline, shared by all schedulers.

import { type Kysely, sql } from 'kysely';
import type { Micros } from '../../core/index.ts';
import type { Database, Migration } from '../../storage/index.ts';
import { addCounts, COUNTS_TABLE, type CountTables, readCounts, type ScheduleCounts } from './count-rows.ts';
import { createSchedulerRows, type SchedulerRows, SCHEDULERS_TABLE } from './scheduler-rows.ts';

interface ScheduleTables {
  pipeline_schedules: {
    pipeline: string;
    /** Expression and zone, as JSON: another schedule is due from when it is seen. */
    schedule: string;
    /** Of the definitions by which it was seen: who knows older ones leaves it alone. */
    revision: number;
    due_after: number;
    left_count: number | null;
    left_first: number | null;
    left_at: number | null;
  };
}

/** Times that came while nobody was there, and that have no run by what the schedule's `catchUp` says. */
export interface LeftOut {
  /** Of more than 1,000 it is 1,000. */
  readonly count: number;
  readonly first: Micros;
  /** When a scheduler passed them over. */
  readonly at: Micros;
}

export interface ScheduleRow {
  readonly pipeline: string;
  readonly schedule: string;
  readonly revision: number;
  /** Ticks up to this instant have their runs, or are to have none. */
  readonly dueAfter: Micros;
  /** The last of them; null where there were none. */
  readonly leftOut: LeftOut | null;
}

export interface ScheduleRows {
  list(): Promise<readonly ScheduleRow[]>;
  /** Begins a schedule at its `dueAfter`; nothing where newer definitions were seen, or somebody else has begun it. */
  begin(row: Omit<ScheduleRow, 'leftOut'>): Promise<void>;
  /** With the ticks that have no run, where there are some: of `counted`, whose runs they would be. Nothing where another has moved it. */
  move(row: ScheduleRow, to: Micros, passed?: { readonly counted: string; readonly leftOut: LeftOut }): Promise<void>;
  count(pipeline: string, more: Partial<ScheduleCounts>): Promise<void>;
  /** By pipeline. */
  counts(): Promise<ReadonlyMap<string, ScheduleCounts>>;
  /** Pipelines that have no schedule by these definitions. */
  forget(pipelines: readonly string[], revision: number): Promise<void>;
}

export function migrateSchedules(database: Database): Promise<Database> {
  return database.migrate('schedules', migrations);
}

/** The rows of schedules, and of those who look. */
export async function openSchedules(opened: Database): Promise<{ schedules: ScheduleRows; schedulers: SchedulerRows }> {
  const database = await migrateSchedules(opened);
  return { schedules: createScheduleRows(database), schedulers: createSchedulerRows(database) };
}

export async function openScheduleRows(opened: Database): Promise<ScheduleRows> {
  return createScheduleRows(await migrateSchedules(opened));
}

function createScheduleRows(database: Database): ScheduleRows {
  const db = (): Kysely<ScheduleTables> => database.tables<ScheduleTables>();
  return {
    async list() {
      const rows = await db().selectFrom('pipeline_schedules').selectAll().execute();
      return rows.map(({ pipeline, schedule, revision, due_after: dueAfter, ...left }) => {
        const { left_count: count, left_first: first, left_at: at } = left;
        const leftOut = count === null || first === null || at === null ? null : { count, first, at };
        return { pipeline, schedule, revision, dueAfter, leftOut };
      });
    },
    async begin({ pipeline, schedule, revision, dueAfter }) {
      await db()
        .insertInto('pipeline_schedules')
        .values({ pipeline, schedule, revision, due_after: dueAfter })
        .onConflict((conflict) =>
          conflict
            .column('pipeline')
            .doUpdateSet({ schedule, revision, due_after: dueAfter })
            .where('pipeline_schedules.revision', '<=', revision)
            .where('pipeline_schedules.schedule', '<>', schedule),
        )
        .execute();
    },
    async move({ pipeline, schedule, dueAfter }, to, passed) {
      const left =
        passed === undefined
          ? {}
          : { left_count: passed.leftOut.count, left_first: passed.leftOut.first, left_at: passed.leftOut.at };
      await database.transaction<ScheduleTables, void>(async (trx) => {
        const { numUpdatedRows } = await trx
          .updateTable('pipeline_schedules')
          .set({ due_after: to, ...left })
          .where('pipeline', '=', pipeline)
          .where('schedule', '=', schedule)
          .where('due_after', '=', dueAfter)
          .executeTakeFirst();
        if (numUpdatedRows > 0n && passed !== undefined)
          await addCounts(trx, passed.counted, { leftOut: passed.leftOut.count });
      });
    },
    count: (pipeline, more) => addCounts(db(), pipeline, more),
    counts: () => readCounts(database.tables<CountTables>()),
    async forget(pipelines, revision) {
      if (pipelines.length === 0) return;
      await db()
        .deleteFrom('pipeline_schedules')
        .where('pipeline', 'in', pipelines)
        .where('revision', '<=', revision)
        .execute();
    },
  };
}

const migrations: readonly Migration[] = [
  {
    name: '0001-schedules',
    async up(db) {
      await sql
        .raw(
          `create table pipeline_schedules (
             pipeline text primary key, schedule text not null, revision bigint not null, due_after bigint not null)`,
        )
        .execute(db);
    },
  },
  {
    name: '0002-seen',
    async up(db) {
      for (const column of ['left_count integer', 'left_first bigint', 'left_at bigint'])
        await sql.raw(`alter table pipeline_schedules add column ${column}`).execute(db);
      for (const table of [COUNTS_TABLE, SCHEDULERS_TABLE]) await sql.raw(table).execute(db);
    },
  },
];

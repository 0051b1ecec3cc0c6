// From when on ticks of a pipeline's schedule are due: a row a pipeline, shared by all schedulers.

import { type Kysely, sql } from 'kysely';
import type { Micros } from '../../core/index.ts';
import type { Database, Migration } from '../../storage/index.ts';

interface ScheduleTables {
  pipeline_schedules: {
    pipeline: string;
    /** Expression and zone, as JSON: another schedule is due from when it is seen. */
    schedule: string;
    /** Of the definitions by which it was seen: who knows older ones leaves it alone. */
    revision: number;
    due_after: number;
  };
}

export interface ScheduleRow {
  readonly pipeline: string;
  readonly schedule: string;
  readonly revision: number;
  /** Ticks up to this instant have their runs, or are to have none. */
  readonly dueAfter: Micros;
}

export interface ScheduleRows {
  list(): Promise<readonly ScheduleRow[]>;
  /** Begins a schedule at its `dueAfter`; nothing where newer definitions were seen, or somebody else has begun it. */
  begin(row: ScheduleRow): Promise<void>;
  /** Nothing where another has moved it. */
  move(row: ScheduleRow, to: Micros): Promise<void>;
  /** Pipelines that have no schedule by these definitions. */
  forget(pipelines: readonly string[], revision: number): Promise<void>;
}

export function migrateSchedules(database: Database): Promise<Database> {
  return database.migrate('schedules', migrations);
}

export async function openScheduleRows(opened: Database): Promise<ScheduleRows> {
  const database = await migrateSchedules(opened);
  const db = (): Kysely<ScheduleTables> => database.tables<ScheduleTables>();
  return {
    async list() {
      const rows = await db().selectFrom('pipeline_schedules').selectAll().execute();
      return rows.map(({ due_after: dueAfter, ...row }) => ({ ...row, dueAfter }));
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
    async move({ pipeline, schedule, dueAfter }, to) {
      await db()
        .updateTable('pipeline_schedules')
        .set({ due_after: to })
        .where('pipeline', '=', pipeline)
        .where('schedule', '=', schedule)
        .where('due_after', '=', dueAfter)
        .execute();
    },
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
];

// How far a pipeline's triggers have been answered: a row a pipeline and trigger, shared by all schedulers.

import { type Kysely, sql } from 'kysely';
import type { Database, Migration } from '../../storage/index.ts';
import { addCounts } from './count-rows.ts';
import { migrateSchedules } from './schedule-rows.ts';

interface TriggerTables {
  pipeline_triggers: {
    pipeline: string;
    /** What it is about, as JSON. */
    trigger_spec: string;
    /** Of the definitions by which it was begun: who knows older ones does not forget it. */
    revision: number;
    /** Of its owner's records: the last that was answered, and the last that the run before answered. */
    position: number;
    after_position: number | null;
    /** The run that answers it, and whether that was made: between both a scheduler may have died. */
    run_id: string | null;
    is_made: number;
  };
}

export interface TriggerRow {
  readonly pipeline: string;
  readonly trigger: string;
  readonly revision: number;
  readonly position: number;
  readonly after: number;
  readonly run: string | null;
  readonly isMade: boolean;
}

export interface TriggerRows {
  list(): Promise<readonly TriggerRow[]>;
  /** Nothing where it has begun. */
  begin(of: Pick<TriggerRow, 'pipeline' | 'trigger' | 'revision' | 'position'>): Promise<void>;
  /** Names the run that is to answer what came up to that position. False where another has. */
  claim(row: TriggerRow, position: number, run: string): Promise<boolean>;
  /** Counts it, once. */
  made(row: Pick<TriggerRow, 'pipeline' | 'trigger'>, run: string): Promise<void>;
  /** Nothing where definitions later than that revision have begun it. */
  forget(row: TriggerRow, revision: number): Promise<void>;
}

export function migrateTriggers(database: Database): Promise<Database> {
  return database.migrate('triggers', migrations);
}

export async function openTriggerRows(opened: Database): Promise<TriggerRows> {
  // What it counts lies beside schedules.
  const database = await migrateTriggers(await migrateSchedules(opened));
  const db = (): Kysely<TriggerTables> => database.tables<TriggerTables>();
  return {
    async list() {
      const rows = await db().selectFrom('pipeline_triggers').selectAll().execute();
      return rows.map(({ pipeline, trigger_spec: trigger, revision, position, after_position, run_id, is_made }) => ({
        pipeline,
        trigger,
        revision,
        position,
        after: after_position ?? position,
        run: run_id,
        isMade: is_made === 1,
      }));
    },
    async begin({ pipeline, trigger, revision, position }) {
      await db()
        .insertInto('pipeline_triggers')
        .values({ pipeline, trigger_spec: trigger, revision, position, run_id: null, is_made: 1 })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },
    async claim(row, position, run) {
      const { numUpdatedRows } = await db()
        .updateTable('pipeline_triggers')
        .set({ position, after_position: row.position, run_id: run, is_made: 0 })
        .where('pipeline', '=', row.pipeline)
        .where('trigger_spec', '=', row.trigger)
        .where('position', '=', row.position)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async made({ pipeline, trigger }, run) {
      await database.transaction<TriggerTables, void>(async (trx) => {
        const { numUpdatedRows } = await trx
          .updateTable('pipeline_triggers')
          .set({ is_made: 1 })
          .where('pipeline', '=', pipeline)
          .where('trigger_spec', '=', trigger)
          .where('run_id', '=', run)
          .where('is_made', '=', 0)
          .executeTakeFirst();
        if (numUpdatedRows > 0n) await addCounts(trx, pipeline, { made: 1 });
      });
    },
    async forget({ pipeline, trigger }, revision) {
      await db()
        .deleteFrom('pipeline_triggers')
        .where('pipeline', '=', pipeline)
        .where('trigger_spec', '=', trigger)
        .where('revision', '<=', revision)
        .execute();
    },
  };
}

const migrations: readonly Migration[] = [
  {
    name: '0001-triggers',
    async up(db) {
      await sql
        .raw(
          `create table pipeline_triggers (
             pipeline text not null, trigger_spec text not null, position bigint not null, run_id text, is_made integer not null,
             primary key (pipeline, trigger_spec))`,
        )
        .execute(db);
    },
  },
  {
    name: '0002-ranges',
    async up(db) {
      await sql.raw('alter table pipeline_triggers add column revision bigint not null default 0').execute(db);
      await sql.raw('alter table pipeline_triggers add column after_position bigint').execute(db);
    },
  },
];

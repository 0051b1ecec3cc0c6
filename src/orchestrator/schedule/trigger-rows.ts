// How far a pipeline's triggers have been answered: a row a pipeline and trigger, shared by all schedulers.

import { type Kysely, sql } from 'kysely';
import type { Database, Migration } from '../../storage/index.ts';

interface TriggerTables {
  pipeline_triggers: {
    pipeline: string;
    /** The TriggerSpec, as JSON. */
    trigger_spec: string;
    /** Of its owner's records: the last that was answered. */
    position: number;
    /** The run that answers it, and whether that was made: between both a scheduler may have died. */
    run_id: string | null;
    is_made: number;
  };
}

export interface TriggerRow {
  readonly pipeline: string;
  readonly trigger: string;
  readonly position: number;
  readonly run: string | null;
  readonly isMade: boolean;
}

export interface TriggerRows {
  list(): Promise<readonly TriggerRow[]>;
  /** Nothing where it has begun. */
  begin(of: Pick<TriggerRow, 'pipeline' | 'trigger' | 'position'>): Promise<void>;
  /** Names the run that is to answer what came up to that position. False where another has. */
  claim(row: TriggerRow, position: number, run: string): Promise<boolean>;
  made(row: Pick<TriggerRow, 'pipeline' | 'trigger'>, run: string): Promise<void>;
  forget(row: TriggerRow): Promise<void>;
}

export function migrateTriggers(database: Database): Promise<Database> {
  return database.migrate('triggers', migrations);
}

export async function openTriggerRows(opened: Database): Promise<TriggerRows> {
  const database = await migrateTriggers(opened);
  const db = (): Kysely<TriggerTables> => database.tables<TriggerTables>();
  return {
    async list() {
      const rows = await db().selectFrom('pipeline_triggers').selectAll().execute();
      return rows.map(({ pipeline, trigger_spec: trigger, position, run_id: run, is_made: isMade }) => ({
        pipeline,
        trigger,
        position,
        run,
        isMade: isMade === 1,
      }));
    },
    async begin({ pipeline, trigger, position }) {
      await db()
        .insertInto('pipeline_triggers')
        .values({ pipeline, trigger_spec: trigger, position, run_id: null, is_made: 1 })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },
    async claim(row, position, run) {
      const { numUpdatedRows } = await db()
        .updateTable('pipeline_triggers')
        .set({ position, run_id: run, is_made: 0 })
        .where('pipeline', '=', row.pipeline)
        .where('trigger_spec', '=', row.trigger)
        .where('position', '=', row.position)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async made({ pipeline, trigger }, run) {
      await db()
        .updateTable('pipeline_triggers')
        .set({ is_made: 1 })
        .where('pipeline', '=', pipeline)
        .where('trigger_spec', '=', trigger)
        .where('run_id', '=', run)
        .execute();
    },
    async forget({ pipeline, trigger }) {
      await db()
        .deleteFrom('pipeline_triggers')
        .where('pipeline', '=', pipeline)
        .where('trigger_spec', '=', trigger)
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
];

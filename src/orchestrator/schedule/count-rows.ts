// What schedulers have done, by pipeline, all of them together: a row a pipeline.

import { type Kysely, sql } from 'kysely';

export interface ScheduleCounts {
  /** Runs that schedules and triggers made; `late`: those of them for times that nobody was there for. */
  readonly made: number;
  readonly late: number;
  /** Times that have no run by `catchUp`. */
  readonly leftOut: number;
  /** Runs that had no room, by `overlap: 'skip'`. */
  readonly skipped: number;
  /** Of the runs of schedules and triggers that a scheduler drove. */
  readonly failed: number;
}

export interface CountTables {
  pipeline_schedule_counts: {
    pipeline: string;
    made: number;
    late: number;
    left_out: number;
    skipped: number;
    failed: number;
  };
}

export const COUNTS_TABLE = `create table pipeline_schedule_counts (
  pipeline text primary key, made bigint not null, late bigint not null, left_out bigint not null, skipped bigint not null,
  failed bigint not null)`;

export const NO_COUNTS: ScheduleCounts = { made: 0, late: 0, leftOut: 0, skipped: 0, failed: 0 };

/** In the transaction that does what is counted. */
export async function addCounts<T>(db: Kysely<T>, pipeline: string, more: Partial<ScheduleCounts>): Promise<void> {
  const { made, late, leftOut, skipped, failed } = { ...NO_COUNTS, ...more };
  await sql`insert into pipeline_schedule_counts as c (pipeline, made, late, left_out, skipped, failed)
    values (${pipeline}, ${made}, ${late}, ${leftOut}, ${skipped}, ${failed})
    on conflict (pipeline) do update set made = c.made + excluded.made, late = c.late + excluded.late,
      left_out = c.left_out + excluded.left_out, skipped = c.skipped + excluded.skipped, failed = c.failed + excluded.failed`.execute(
    db,
  );
}

export async function readCounts(db: Kysely<CountTables>): Promise<ReadonlyMap<string, ScheduleCounts>> {
  const rows = await db.selectFrom('pipeline_schedule_counts').selectAll().execute();
  return new Map(rows.map(({ pipeline, left_out: leftOut, ...row }) => [pipeline, { ...row, leftOut }]));
}

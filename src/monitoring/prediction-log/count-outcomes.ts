// What became of the outcomes that were told: how many belong to a prediction, and why others don't.

import { MICROS_PER_MINUTE } from '../../core/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import { newestOutcome, newestUnitOutcome } from './log-columns.ts';
import { askLog } from './query-log.ts';

export interface OutcomeCounts {
  /** That lie in the log; repeats within one segment are one. */
  readonly recorded: number;
  /** Of them those that came again, the same or another value. */
  readonly repeated: number;
  /** Predictions that have one. */
  readonly matched: number;
  readonly unmatched: {
    /** Of predictions that are not in the log: of another's making, not of the sample, dropped, or past what is kept. */
    readonly unknown_id: number;
    /** Of units of which nothing was predicted in their time. */
    readonly unknown_unit: number;
  };
  /** Observed more than a minute after they were recorded. */
  readonly in_future: number;
}

const SKEW_MICROS = MICROS_PER_MINUTE;

/** Reads the ids of the whole log. Throws as `queryPredictionLog` does. */
export async function countOutcomes(duckdb: DuckDb, directory: string): Promise<OutcomeCounts> {
  return askLog(duckdb, { directory }, async (connection, log) => {
    const { byId, byUnit } = log.recorded;
    // The endpoint that it was told to counts, too: an id of another endpoint is unknown to it.
    const predictions = `SELECT prediction_id, endpoint FROM (${log.predictions})`;
    const future = (relation: string): string =>
      `SELECT count(*) FROM (${relation}) WHERE epoch_us(observed_at) > epoch_us(recorded_at) + ${SKEW_MICROS}`;
    const [newestById, newestByUnit] = [
      `SELECT * FROM (${byId}) ${newestOutcome}`,
      `SELECT * FROM (${byUnit}) ${newestUnitOutcome}`,
    ];
    const counted =
      await connection.runAndReadAll(`SELECT (SELECT count(*) FROM (${byId})), (SELECT count(*) FROM (${byUnit})),
      (SELECT count(*) FROM (${newestById})), (SELECT count(*) FROM (${newestByUnit})),
      (SELECT count(*) FROM (${newestById}) told ANTI JOIN (${predictions}) made USING (prediction_id, endpoint)),
      (SELECT count(*) FROM (${log.matchedUnits})),
      (SELECT count(*) FROM (${log.outcomes}) told SEMI JOIN (${predictions}) made USING (prediction_id, endpoint)),
      (${future(newestById)}), (${future(newestByUnit)})`);
    const [ids = 0, units = 0, ownIds = 0, ownUnits = 0, unknown = 0, found = 0, matched = 0, ...late] = (
      counted.getRows()[0] ?? []
    ).map(Number);
    return {
      recorded: ids + units,
      repeated: ids + units - ownIds - ownUnits,
      matched,
      unmatched: { unknown_id: unknown, unknown_unit: ownUnits - found },
      in_future: late.reduce((sum, count) => sum + count, 0),
    };
  });
}

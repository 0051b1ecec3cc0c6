// Runs' rows at another place. Their store is not there: what was under way is given up, and new runs take numbers far past
// those that any record of the former place can bear, so that none is read by another run's row.

import type { Kysely } from 'kysely';
import type { RowsOwner } from '../../storage/index.ts';

interface Tables {
  online_runs: { state: string };
  online_run_sequence: { last: number };
}

export const runsRows: RowsOwner = { table: 'online_runs', settle: giveUpRuns };

/** More than the runs that the former place may begin after its rows were read. */
const SKIPPED = 1_000_000;

async function giveUpRuns(opened: Kysely<unknown>): Promise<void> {
  // The runs' own tables are in it.
  const db = opened as Kysely<Tables>;
  await db.updateTable('online_runs').set({ state: 'abandoned' }).where('state', 'in', ['asked', 'open']).execute();
  await db
    .updateTable('online_run_sequence')
    .set((row) => ({ last: row('last', '+', SKIPPED) }))
    .execute();
}

// A run of one version that asks, alone.

import type { NewRun, RunRow, Runs } from '../../src/online/index.ts';

export async function askRun(runs: Pick<Runs, 'askAll'>, run: NewRun): Promise<RunRow> {
  const [row] = await runs.askAll([run]);
  return row as RunRow; // One asked.
}

// How a run that could not be finished is left: the next one abandons or repairs it.

import { formatTimestamp, HeadraceError } from '../../core/index.ts';
import type { RunRow, Runs } from '../../online/index.ts';

/** Gives what to throw. A run that another took over says which. */
export async function failRun(runs: Runs, row: RunRow, error: unknown): Promise<unknown> {
  const { number, view, version } = row;
  if (error instanceof HeadraceError && error.code === 'HR_MATERIALIZE_BUSY') {
    const later = (await runs.ofVersion(version).catch(() => [])).findLast((other) => other.number > number);
    if (later === undefined) return abandon(runs, row, error);
    return new HeadraceError(
      'HR_MATERIALIZE_BUSY',
      `run ${number} of view "${view}" was taken over by run ${later.number}, which began at ` +
        `${formatTimestamp(later.askedMicros)}. Wait for that one.`,
      { cause: error },
    );
  }
  return abandon(runs, row, error);
}

async function abandon(runs: Runs, row: RunRow, error: unknown): Promise<unknown> {
  const why = error instanceof HeadraceError ? `${error.code}: ${error.message}` : String(error);
  // The error itself matters more than its note: with a full disk the note may fail too.
  await runs.abandon(row, why).catch(() => undefined);
  return error;
}

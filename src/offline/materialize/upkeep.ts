// What goes once a view has been materialized: rows of runs that no base can name, lists of files that no run builds on,
// records past their lifetime.

import { floorTo, type Micros, MICROS_PER_HOUR } from '../../core/index.ts';
import { forgettable, type OnlineStore, type RunRow, type VersionId } from '../../online/index.ts';
import type { RunDeps } from './view-run.ts';

export async function forgetRows({ runs, store }: Pick<RunDeps, 'runs' | 'store'>, version: VersionId): Promise<void> {
  const marked = (await store.marks(version)).map(({ run }) => run ?? 0);
  if (marked.length > 0) await runs.keepSnapshotsFrom(version, Math.min(...marked));
  const rows = await runs.ofVersion(version);
  const last = rows.at(-1)?.number ?? 0;
  // A run that never opened wrote nothing. The last row stays, so that no number is given twice.
  const neverOpened = rows.filter(
    ({ state, boundary, number }) => state === 'abandoned' && boundary === null && number < last,
  );
  await runs.forget([...new Set([...forgettable(rows), ...neverOpened])]);
}

/**
 * Once an hour at most, since it looks at every record. `before`: each version's last finished run as of the beginning.
 * By the clock, the run before or the newest fact that any run saw, whichever is earliest: clocks that are wrong, however
 * often, must not take what is still read.
 */
export async function removeExpired(store: OnlineStore, before: readonly RunRow[], now: Micros): Promise<void> {
  const last = before.reduce<RunRow | undefined>((a, b) => (a !== undefined && a.number > b.number ? a : b), undefined);
  if (last === undefined) return;
  if (floorTo(last.finishedMicros ?? now, MICROS_PER_HOUR) === floorTo(now, MICROS_PER_HOUR)) return;
  const newest = before.reduce<Micros>(
    (max, { counts }) => Math.max(max, counts?.newestMicros ?? -Infinity),
    -Infinity,
  );
  if (newest === -Infinity) return;
  await store.removeExpired(Math.min(now, last.asOf, newest));
}

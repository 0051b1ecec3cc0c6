// All runs that other systems drive, by the `run.json` that each has in the artifact store.

import { toHeadraceError } from '../../core/index.ts';
import { openRunStore } from '../rows/open-run-store.ts';
import { findRun, type SyncDeps, type SyncedRun, syncRun } from './sync-run.ts';

export interface FailedSync {
  readonly id: string;
  readonly code: string;
  readonly reason: string;
}

/**
 * Of those that are not over, and those that the registry does not know, in the order of their ids. What is wrong with one keeps no
 * other from being synced. Throws HR_STORAGE_UNAVAILABLE.
 */
export async function syncRuns(
  deps: SyncDeps,
): Promise<{ readonly runs: readonly SyncedRun[]; readonly failed: readonly FailedSync[] }> {
  const store = await openRunStore(deps.database, deps.clock);
  const runs: SyncedRun[] = [];
  const failed: FailedSync[] = [];
  const ids: string[] = [];
  for await (const { key } of deps.objects.list('runs/')) {
    const [, id = '', name, ...more] = key.split('/');
    if (name === 'run.json' && more.length === 0) ids.push(id);
  }
  for (const id of ids.sort()) {
    try {
      const found = (await findRun(store, id))?.run;
      if (found !== undefined && found.state !== 'queued' && found.state !== 'running') continue;
      runs.push(await syncRun(deps, id));
    } catch (error) {
      const { code, message } = toHeadraceError(error);
      if (code === 'HR_STORAGE_UNAVAILABLE' || deps.signal?.aborted === true) throw error;
      failed.push({ id, code, reason: message });
    }
  }
  return { runs, failed };
}

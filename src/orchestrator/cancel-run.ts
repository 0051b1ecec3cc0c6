// Cancelling a run: its driver ends what runs of it. Where that is gone, what it left on this host is ended here, and where it was on
// another, that host is named: nobody else can end anything there.

import type { RunState } from './engine/batch.ts';
import { sweepDrivers } from './executors/local/sweep.ts';
import { hostOf, isOfThisHost } from './lease.ts';
import type { RunsDeps } from './orchestrator-deps.ts';
import { openRunStore } from './rows/open-run-store.ts';

export interface CancelledRun {
  /** False: it had ended before. */
  readonly wasRunning: boolean;
  readonly state: RunState;
  /** Who drives it, and ends what runs of it within a second; null where nobody does. */
  readonly driver: string | null;
  /** Another system drives it. */
  readonly elsewhere: string | null;
  /** Processes of it on this host that its drivers had left, and that were ended. */
  readonly endedProcesses: number;
  /** Hosts on which processes of it may still run: their driver was there, and is gone. */
  readonly mayRunAt: readonly string[];
}

/**
 * Asks a run to stop; one that nobody drives is cancelled at once. Of one that has ended, what its drivers left on this host is ended
 * as well: it may have been cancelled on another. Throws HR_UNKNOWN_RUN.
 */
export async function cancelRun(deps: RunsDeps, id: string): Promise<CancelledRun> {
  const store = await openRunStore(deps.database, deps.clock);
  // Before: whoever resumes it from now on has drivers that are none of this.
  const before = (await store.get(id)).run;
  const drivers = await store.localDrivers(id);
  const wasRunning = await store.requestCancel(id);
  const { run } = await store.get(id);
  const { state, elsewhere } = run;
  const told = { wasRunning, state, elsewhere, driver: run.isDriven ? run.driver : null };
  if (state === 'queued' || state === 'running') return { ...told, endedProcesses: 0, mayRunAt: [] };
  const left = new Set(drivers.map(({ driver }) => driver));
  const busy = new Set(wasRunning ? drivers.flatMap(({ driver, isBusy }) => (isBusy ? [driver] : [])) : []);
  // It may have died before it had given anything to its executor, and its launcher be there.
  if (before.driver !== null && before.elsewhere === null) {
    left.add(before.driver);
    if (wasRunning) busy.add(before.driver);
  }
  const endedProcesses = await sweepDrivers(deps.workDirectory, [...left].filter(isOfThisHost));
  const hosts = new Set([...busy].filter((driver) => !isOfThisHost(driver)).map(hostOf));
  return { ...told, endedProcesses, mayRunAt: [...hosts].sort() };
}

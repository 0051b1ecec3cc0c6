// Keeps a run's lease while its process lives, and hears from it that the run was cancelled or taken over.

import { type Drive, stopEverything } from './drive.ts';
import { HEARTBEAT_MS } from './lease.ts';
import { renewLease } from './run-rows.ts';

/**
 * Beside the tasks, never inside them: a step that hangs keeps its lease, a process that died loses it. Gives the way to
 * stop it.
 */
export function startHeartbeat(drive: Drive): () => Promise<void> {
  const { deps, runId, owner } = drive;
  let beat: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    beat = renewLease(deps.database, runId, owner, deps.clock.nowMicros()).then(
      (state) => {
        if (state !== 'held') stopEverything(drive, state);
      },
      // A database that is away for a moment is no reason to stop: the lease is longer than that.
      (error: unknown) => deps.logger.warn({ run: runId, error: String(error) }, 'could not renew the run’s lease'),
    );
  }, HEARTBEAT_MS);
  return async () => {
    clearInterval(timer);
    await beat;
  };
}

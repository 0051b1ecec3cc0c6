// Starts runs that wait for a driver, as far as there is room: those that schedules made, those that were asked to go on, and those
// whose driver died.

import { counted, HeadraceError, type Micros } from '../../core/index.ts';
import { newOwner } from '../lease.ts';
import type { Hold, RunStore, StoredRun } from '../rows/run-store.ts';

/** For so long whoever made a run, or asked for it to go on, may be about to take it. */
const THEIRS_MS = 15_000;

export interface StartsRuns {
  readonly store: RunStore;
  /** How many runs are driven here at once. */
  readonly atOnce: number;
  /** Whether it can be driven here; left to others otherwise. */
  readonly mayDrive?: (run: StoredRun) => boolean;
  /** Drives a run to its end; what goes wrong is told there. */
  readonly drive: (run: TakenRun) => Promise<void>;
  readonly onCancelled: (run: StoredRun, reason: string) => void;
}

export interface TakenRun {
  readonly run: StoredRun;
  readonly driver: string;
  readonly hold: Hold;
  /** Its driver died. */
  readonly isTakenOver: boolean;
}

export interface RunStarter {
  /** One look. */
  look(): Promise<void>;
  /** Resolves when none is driven any more. */
  idle(): Promise<void>;
}

export function createRunStarter({ store, atOnce, mayDrive = () => true, drive, onCancelled }: StartsRuns): RunStarter {
  const driven = new Map<string, Promise<void>>();
  /** Runs that wait, as they were when first seen, and when that was. */
  let seen = new Map<string, { readonly run: StoredRun; readonly sinceMs: number }>();

  /** Runs that were driven here, and until when they are left alone if they wait again: what kept one from its end may last. */
  const resting = new Map<string, number>();

  const start = (run: StoredRun, isTakenOver: boolean): void => {
    const whole = async (): Promise<void> => {
      const driver = newOwner();
      const { concurrency: atMost } = run.spec;
      let hold: Hold;
      try {
        hold = await store.take(run.id, driver, atMost === undefined ? {} : { atMost });
      } catch (error) {
        // Another has it, or has taken the last place.
        if (error instanceof HeadraceError && error.code === 'HR_CONFLICT') return;
        throw error;
      }
      try {
        await drive({ run, driver, hold, isTakenOver });
      } finally {
        resting.set(run.id, performance.now() + THEIRS_MS);
      }
    };
    driven.set(
      run.id,
      whole()
        // The database is away: the run is found again by a look that reaches it.
        .catch(() => {})
        .finally(() => driven.delete(run.id)),
    );
  };

  /** The oldest that go on end for the new run. */
  const makeRoom = async (run: StoredRun, count: number): Promise<void> => {
    const going = await store.list({ pipeline: run.pipeline, state: 'running', limit: 1000 });
    const older = going.filter((one) => one.elsewhere === null && comesBefore(one, run)).toReversed();
    const asked = older.filter(({ isCancelRequested }) => isCancelRequested).length;
    const ending = older.filter(({ isCancelRequested }) => !isCancelRequested).slice(0, Math.max(0, count - asked));
    for (const { id } of ending)
      await store.requestCancel(id, { reason: `cancelled for run ${run.id}, which is newer` });
  };

  return {
    async look() {
      const { queued, abandoned } = await store.due();
      const now = performance.now();
      const still: typeof seen = new Map();
      const see = async (as: 'queued' | 'abandoned', id: string) => {
        const one = seen.get(`${as} ${id}`) ?? { run: (await store.get(id)).run, sinceMs: now };
        still.set(`${as} ${id}`, one);
        return one;
      };
      for (const [id, until] of resting) if (until <= now) resting.delete(id);
      const isLeftAlone = (id: string): boolean => driven.has(id) || resting.has(id);
      const hasPlace = (): boolean => driven.size < atOnce;

      for (const { id } of abandoned) {
        if (isLeftAlone(id)) continue;
        const { run, sinceMs } = await see('abandoned', id);
        if (hasPlace() && isToTakeOver(run, now - sinceMs) && mayDrive(run)) start(run, run.driver !== null);
      }
      for (const { going: running, runs } of queued) {
        let going = running + runs.filter((id) => driven.has(id)).length;
        for (const id of runs) {
          if (isLeftAlone(id)) continue;
          const { run, sinceMs } = await see('queued', id);
          const isNew = run.startedAt === null;
          const { concurrency = Infinity, overlap } = run.spec;
          if (going >= concurrency) {
            if (!isNew || overlap === undefined) break;
            if (overlap === 'skip') {
              const reason = `skipped: ${counted(going, 'run')} of ${run.pipeline} went on, and at most ${concurrency} may`;
              if (await store.requestCancel(id, { reason, onlyQueued: true })) onCancelled(run, reason);
              continue;
            }
            await makeRoom(run, going + 1 - concurrency);
            break;
          }
          if (!hasPlace()) break;
          if (!isNew && now - sinceMs < THEIRS_MS) continue;
          if (!mayDrive(run)) continue;
          start(run, false);
          going += 1;
        }
      }
      seen = still;
    },
    async idle() {
      await Promise.all(driven.values());
    },
  };
}

/**
 * One whose driver died, and a scheduled one that was let go, at once. What somebody has interrupted by hand stays theirs; what was
 * never begun may be about to.
 */
function isToTakeOver({ driver, tick, startedAt }: StoredRun, waitedMs: number): boolean {
  if (driver !== null) return true;
  if (startedAt === null) return waitedMs >= THEIRS_MS;
  return tick !== null;
}

function comesBefore(a: { id: string; createdAt: Micros }, b: { id: string; createdAt: Micros }): boolean {
  return a.createdAt === b.createdAt ? a.id < b.id : a.createdAt < b.createdAt;
}

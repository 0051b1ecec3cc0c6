// How far a run is, for whoever watches it: often enough for eyes, not with each of its batches.

import type { Micros } from '../core/index.ts';
import type { RunInHand } from './engine/run-in-hand.ts';
import type { PoolHolder } from './rows/run-store.ts';
import { progressOf, type StepProgress } from './run-progress.ts';

const LEAST_MS = 100;
const STILL_MS = 500;

export interface ProgressTeller {
  changed(run: RunInHand): void;
  /** While it waits for slots of pools: which others have some. */
  waits(run: RunInHand, holders: readonly PoolHolder[]): void;
  /** Tells the last that has not been told. */
  close(): void;
}

/**
 * Told at each change, but at most every 100 ms, and at the end; twice a second otherwise: what came too soon to be told, and how long
 * the longest task has run, are seen while nothing else changes.
 */
export function tellProgress(nowMicros: () => Micros, tell: (steps: readonly StepProgress[]) => void): ProgressTeller {
  let latest: RunInHand | undefined;
  let heldBy: readonly PoolHolder[] = [];
  let toldMs = -Infinity;
  let isTold = true;
  const tellNow = (): void => {
    if (latest === undefined) return;
    isTold = true;
    tell(progressOf(latest, nowMicros(), heldBy));
    toldMs = performance.now();
  };
  const ticking = setInterval(tellNow, STILL_MS);
  return {
    changed(run) {
      latest = run;
      isTold = false;
      if (run.end !== null || performance.now() - toldMs >= LEAST_MS) tellNow();
    },
    waits(run, holders) {
      latest = run;
      heldBy = holders;
      tellNow();
    },
    close() {
      clearInterval(ticking);
      if (!isTold) tellNow();
    },
  };
}

// How many slots of each pool a run could use now: what runs of it, and what its executors had room for besides.

import type { StepSpec } from '../../definitions/index.ts';
import { parallelRoom } from '../engine/claim.ts';
import { shortOfSlots } from '../engine/next.ts';
import { poolOf } from '../engine/pools.ts';
import type { RunInHand } from '../engine/run-in-hand.ts';

/** Of one wish for slots: as many as are claimed in one batch. */
const MOST = 500;

/**
 * By pool, where it is another number than the run had been told before; after what there was room for is claimed. `roomFor`: the
 * executor of a step, and how many tasks more it takes.
 */
export function wantedSlots<E>(
  run: RunInHand,
  at: number,
  roomFor: (spec: StepSpec) => { readonly of: E; readonly tasks: number },
): ReadonlyMap<string, number> {
  const more = new Map<string, number>();
  const byExecutor = new Map<E, number>();
  const byStep = new Map<string, number>();
  for (const { row, tasks } of shortOfSlots(run, at, MOST)) {
    const pool = poolOf(run, row.node);
    if (pool === undefined || row.node.kind !== 'step') continue;
    const { name, spec } = row.node;
    const room = roomFor(spec);
    const [there, ofStep] = [byExecutor.get(room.of) ?? 0, byStep.get(name) ?? 0];
    // A step's rows share what may run of it at once.
    const wanted = Math.max(0, Math.min(tasks, room.tasks - there, parallelRoom(run, row) - ofStep));
    byExecutor.set(room.of, there + wanted);
    byStep.set(name, ofStep + wanted);
    more.set(pool.name, (more.get(pool.name) ?? 0) + wanted);
  }
  const changed = new Map<string, number>();
  for (const { name, running, wanted } of run.pools.values()) {
    const now = running + (more.get(name) ?? 0);
    if (now !== wanted) changed.set(name, now);
  }
  return changed;
}

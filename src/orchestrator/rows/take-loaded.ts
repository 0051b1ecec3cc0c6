// A run's rows as the reducer has them.

import type { Graph } from '../engine/graph.ts';
import { type KeptTask, type RunInHand, takeInHand } from '../engine/run-in-hand.ts';
import { codesOf } from '../task-code.ts';
import type { LoadedRun } from './run-store.ts';

/** `graph`: of its spec, or of what is driven of that. */
export function takeLoaded({ run, steps, tasks, pools }: LoadedRun, graph: Graph): RunInHand {
  return takeInHand(
    { id: run.id, graph, codes: codesOf(graph, run.manifestHash), keepsGoing: run.keepGoing, isCancelled: false },
    steps,
    tasks.flatMap(({ state, slice, startedAt, ...task }): KeptTask[] =>
      state === 'failed' ? [] : [{ ...task, state, slice: slice ?? '', startedAt: startedAt ?? 0 }],
    ),
    pools,
  );
}

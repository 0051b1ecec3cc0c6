// What a batch says of tasks that ended, one by one, for those who watch.

import type { Batch, TaskState } from './engine/batch.ts';
import type { RunInHand } from './engine/run-in-hand.ts';
import type { TaskReport } from './orchestrator-deps.ts';

const EVENTS: Readonly<Record<TaskState, TaskReport['event'] | null>> = {
  running: null,
  succeeded: 'succeeded',
  failed: 'failed',
  retry: 'will retry',
  cancelled: 'stopped',
};

export function reportTasks({ id, graph }: RunInHand, { tasks }: Batch, tell: (report: TaskReport) => void): void {
  for (const { step, scope, index, attempt, state, error, startedAt, endedAt } of tasks) {
    const event = EVENTS[state];
    // One that was stopped with its driver did nothing wrong, and runs again as the run goes on.
    if (event === null || (state === 'retry' && error === null)) continue;
    const isChild = graph.nodes.get(step)?.foreach !== undefined;
    tell({
      runId: id,
      step,
      scope,
      index,
      isChild,
      attempt,
      event,
      ...(startedAt === null || endedAt === null ? {} : { seconds: (endedAt - startedAt) / 1e6 }),
      ...(error === null ? {} : { reason: error }),
    });
  }
}

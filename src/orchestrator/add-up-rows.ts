// What rows of one step come to together, over the items of the groups around it.

import type { StepChange, TaskCounts } from './engine/batch.ts';

/** `children`: of those that have opened; null where none has. */
export function addUpRows(rows: Iterable<Pick<StepChange, 'children' | 'counts'>>): {
  readonly children: number | null;
  readonly counts: TaskCounts;
} {
  const counts = { running: 0, retry: 0, succeeded: 0, failed: 0, cancelled: 0 };
  let children: number | null = null;
  for (const row of rows) {
    for (const state of Object.keys(counts) as (keyof typeof counts)[]) counts[state] += row.counts[state];
    if (row.children !== null) children = (children ?? 0) + row.children;
  }
  return { children, counts };
}

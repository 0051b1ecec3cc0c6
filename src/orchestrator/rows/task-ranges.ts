// Tasks of a slice as ranges, and changes of tasks as passes of which none names a task twice.

import type { SliceChange, TaskChange } from '../engine/batch.ts';

/** Tasks that follow one another at one attempt: the first one's index, how many, the attempt. */
export type TaskRange = readonly [index: number, count: number, attempt: number];

export function toRanges(tasks: SliceChange['tasks']): readonly TaskRange[] {
  const ranges: [number, number, number][] = [];
  for (const { index, attempt } of tasks) {
    const last = ranges.at(-1);
    if (last !== undefined && last[2] === attempt && last[0] + last[1] === index) last[1]++;
    else ranges.push([index, 1, attempt]);
  }
  return ranges;
}

export function fromRanges(ranges: readonly TaskRange[]): SliceChange['tasks'] {
  return ranges.flatMap(([index, count, attempt]) =>
    Array.from({ length: count }, (_, at) => ({ index: index + at, attempt })),
  );
}

/** A statement changes a row once: what follows on a task's change in the same batch comes in the next pass. */
export function inPasses(changes: readonly TaskChange[]): readonly (readonly TaskChange[])[] {
  const passes: TaskChange[][] = [];
  const seen = new Map<string, number>();
  for (const change of changes) {
    const key = `${change.index} ${change.step} ${change.scope}`;
    const pass = seen.get(key) ?? 0;
    seen.set(key, pass + 1);
    const found = passes[pass];
    if (found === undefined) passes.push([change]);
    else found.push(change);
  }
  return passes;
}

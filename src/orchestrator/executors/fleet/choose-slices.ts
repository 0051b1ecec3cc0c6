// Which of the slices that wait a worker takes: first come, first served, as far as there is room on its machine.

import { memoryBytes } from '../../resources.ts';
import type { Executor } from '../executor.ts';
import type { WaitingSlice } from './worker-rows.ts';

export interface Capacity {
  readonly slots: number;
  readonly memoryBytes: number;
  readonly hasProject: boolean;
}

/**
 * What no machine of the fleet is large enough for, any takes that is idle, as it would run alone on a plain machine. What another
 * is large enough for and this one is not, is left to it.
 */
export function chooseSlices(
  waiting: readonly WaitingSlice[],
  room: Executor['room'],
  own: Capacity,
  others: readonly Capacity[],
): readonly WaitingSlice[] {
  const chosen: WaitingSlice[] = [];
  let tasks = 0;
  for (const slice of waiting) {
    const fits = (one: Capacity): boolean => isLargeEnough(one, slice);
    if (!fits(own) && others.some(fits)) continue;
    // The room is that of the moment before: of what was chosen since it knows nothing.
    if (room(slice.resources).tasks - tasks <= 0) break;
    chosen.push(slice);
    tasks += slice.tasks.length;
  }
  return chosen;
}

function isLargeEnough(capacity: Capacity, { resources: { action, cpu = 1, memory } }: WaitingSlice): boolean {
  if (action === 'predict' && !capacity.hasProject) return false;
  return cpu <= capacity.slots && (memory === undefined || memoryBytes(memory) <= capacity.memoryBytes);
}

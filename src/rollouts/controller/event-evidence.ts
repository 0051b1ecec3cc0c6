// What first events say of the candidate against its share, and how guards' bounds are shown and used.

import { formatDuration } from '../../core/index.ts';
import { createEventTest } from '../../statistics/index.ts';
import type { Guard } from './guard.ts';
import type { EventMinute } from './tally.ts';

export type CountedMinute = Pick<EventMinute, 'k' | 'kc' | 'w'>;

export interface Tested {
  /** The evidence against the candidate; left out where the test is an interval. */
  readonly e?: number;
  readonly breached: boolean;
}

/** Against stable: by minute, as the weights were. */
export function byShare(
  minutes: readonly CountedMinute[],
  tolerance: number,
  thetas: Guard['direction'],
  alpha: number,
): Tested {
  const test = createEventTest({ thetas, tolerance, alpha });
  for (const { k, kc, w } of minutes) test.add(k, kc, w);
  return { e: test.e(), breached: test.breached() };
}

/** How much more events the candidate has than its share, over all weights that there were (Mantel and Haenszel 1959). */
export function excessOf(minutes: readonly CountedMinute[]): number | null {
  let candidate = 0;
  let stable = 0;
  for (const { k, kc, w } of minutes) {
    candidate += kc * (1 - w);
    stable += (k - kc) * w;
  }
  return stable === 0 ? null : candidate / stable - 1;
}

/** As it was written: .01, "+20%", or of latency "50ms". */
export function limitOf({ metric, bound }: Guard): number | string {
  if (bound.kind === 'limit') return metric === 'latency' ? formatDuration(bound.value) : bound.value;
  const percent = Number((100 * bound.tolerance).toPrecision(12));
  return `${percent < 0 ? '' : '+'}${percent}%`;
}

export function toleranceOf({ bound }: Guard): number {
  return bound.kind === 'relative' ? bound.tolerance : 0;
}

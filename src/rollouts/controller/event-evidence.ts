// What first events say of the candidate against its share, when a step waits for more of them, and how guards' bounds are
// shown and used.

import { formatDuration } from '../../core/index.ts';
import { createEventTest } from '../../statistics/index.ts';
import type { Guard } from './guard.ts';
import { type Rollout, weightAt } from './rollout.ts';
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

/**
 * Why a step is not left on evidence that falls short of a breach: bets on harm have won so far. Without harm it sinks as events
 * come, so that healthy rollouts hardly wait; of harm that is found late it keeps more units out of reach
 * (docs/reference/statistics.md, "Steps that wait"). Undefined where no more can come: with all of the traffic there is nothing to
 * compare with.
 */
export function doubtOf(rollout: Rollout, { bound }: Guard, tested: Tested | undefined): string | undefined {
  const isOpen = rollout.state !== 'promoted' && (bound.kind === 'limit' || weightAt(rollout, rollout.step) < 100);
  return isOpen && isDoubtful(tested?.e ?? 0) ? 'what was seen so far is rather for harm than against it' : undefined;
}

/** Without any event E is 1. */
export function isDoubtful(e: number): boolean {
  return e > 1;
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

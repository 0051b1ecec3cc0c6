// How long a version that was rolled back waits before it may try again: an hour, then four times as long each time.

import type { Micros } from '../../core/index.ts';
import type { Rollout } from './rollout.ts';

const FACTOR = 4;
/** Past it longer says no more. */
const MOST_TIMES = 6;

/** From when the version may start again; undefined where nothing held it up. `rollouts`: of the endpoint. */
export function cooledFrom(
  rollouts: readonly Pick<Rollout, 'candidate' | 'state' | 'endedMicros' | 'createdMicros'>[],
  candidate: number,
  cooldownMicros: Micros,
): Micros | undefined {
  const own = rollouts
    .filter((rollout) => rollout.candidate === candidate)
    .sort((one, other) => other.createdMicros - one.createdMicros);
  const tries = own.findIndex(({ state }) => state === 'promoted');
  const failed = (tries === -1 ? own : own.slice(0, tries)).filter(({ state }) => state === 'rolled_back');
  const [last] = failed;
  if (last === undefined || last.endedMicros === null) return undefined;
  return last.endedMicros + cooldownMicros * FACTOR ** Math.min(failed.length - 1, MOST_TIMES);
}

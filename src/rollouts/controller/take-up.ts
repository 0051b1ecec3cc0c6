// How a rollout goes on by traffic that somebody else set: where it was, if its weights are what they were, else paused at the weights
// that it was given, and guarded there.

import type { Micros } from '../../core/index.ts';
import type { Overridden } from './decide.ts';
import { NOTHING_WARM, type Phase, type Rollout, type RolloutState, weightAt } from './rollout.ts';
import type { RolloutChange } from './rollout-rows.ts';

export interface TakenUp {
  readonly change: RolloutChange & { readonly state: RolloutState };
  readonly said: string;
}

export function takeUp(rollout: Rollout, overridden: Overridden, now: Micros): TakenUp {
  const { state, plan, heldMicros, pausedFrom, pausedBy } = rollout;
  const { revision, weight, actor, reason } = overridden;
  // A step that servers were still loading was overtaken: it is asked for again.
  const step = state === 'preparing' ? rollout.step - 1 : rollout.step;
  const why = reason === null ? '' : `: ${reason}`;
  if (weight === weightAt(rollout, step)) {
    const follows = state !== 'preparing' ? state : step === 0 ? 'pending' : 'watching';
    const isWarming = (state === 'paused' ? pausedFrom : state) === 'settling';
    return {
      change: {
        state: follows,
        step,
        revision,
        phases: phasesWith(rollout, overridden, isWarming ? null : NOTHING_WARM, now),
        heldMicros: state === 'preparing' ? 0 : heldMicros,
        reason: rollout.reason,
      },
      said: `${actor} changed the endpoint's traffic beside it${why}`,
    };
  }
  const isPersons = state === 'paused' && pausedBy === 'person';
  const isGuarded = isPersons
    ? 'its guards tell, and a person’s pause holds it there'
    : 'it is guarded there, and goes on from there when it is resumed';
  return {
    change: {
      state: 'paused',
      // The next is more than the candidate has.
      step: plan.steps.filter((one) => one <= weight).length,
      revision,
      phases: phasesWith(rollout, overridden, NOTHING_WARM, now),
      heldMicros: 0,
      pausedFrom: weight === 100 ? 'baking' : 'watching',
      // A breach takes it back, unless a person said not to.
      pausedBy: isPersons ? 'person' : 'controller',
    },
    said: `${actor} gave the candidate ${weight} %${why}; ${isGuarded}`,
  };
}

/** Under another revision rows are counted apart. */
function phasesWith(
  { phases }: Rollout,
  { revision, weight }: Overridden,
  warm: Phase['warm'],
  now: Micros,
): readonly Phase[] {
  // Of weights that never were active nothing was counted.
  const lived = phases.filter(({ fromMicros }) => fromMicros !== null);
  if (weight === 0 || lived.some((phase) => phase.revision === revision)) return lived;
  return [...lived, { revision, weight, fromMicros: now, warm }];
}

// What holds of a rollout at every moment, whoever died and whatever came in which order.

import { expect } from 'vitest';
import type { ShownRollout } from '../../src/rollouts/index.ts';
import { ENDPOINT, type RolloutWorld } from './rollout-world.ts';

/** Row, weights, owner and history agree. `isOverridden`: somebody took the traffic since. */
export async function expectConsistent(world: RolloutWorld, isOverridden = false): Promise<void> {
  const shown = await world.shown();
  const { rollout } = shown;
  const { state, plan, step, candidate, id } = rollout;
  const endpoint = await world.registry.endpoints.get(ENDPOINT);
  const weightOf = (version: number): number =>
    endpoint.variants.filter((one) => one.version === version).reduce((sum, { weight }) => sum + weight, 0);
  expectHistory(shown);
  if (isOverridden) return;
  const has = weightOf(candidate);
  const due = step === 0 ? 0 : plan.steps[step - 1];
  const before = step < 2 ? 0 : plan.steps[step - 2];
  const isOver = state === 'promoted' || state === 'aborted' || state === 'rolled_back' || state === 'rolling_back';
  expect(endpoint.rollout, state).toBe(isOver ? null : id);
  if (state === 'promoted') expect(has).toBe(100);
  else if (isOver) expect(has, state).toBe(0);
  else if (state === 'settling' || state === 'watching' || state === 'baking') {
    expect(has, state).toBe(due);
    expect(endpoint.revision).toBe(rollout.revision);
  } else expect([before, due], `${state} ${step}`).toContain(has);
  // All traffic only at the last step, which nothing but the steps before leads to.
  if (has === 100 && state !== 'promoted') expect(step).toBe(plan.steps.length);
}

function expectHistory({ rollout, events }: ShownRollout): void {
  events.forEach(({ from }, at) => expect(from).toBe(events[at - 1]?.to ?? null));
  expect(events.at(-1)?.to).toBe(rollout.state);
  expect(rollout.stateVersion).toBe(events.length);
  // A step is asked for, and none is left out.
  expect(events.filter(({ to }) => to === 'preparing').length).toBeGreaterThanOrEqual(rollout.step);
}

// What a server does that was stopped for long: it looks at the registry before it answers.

import { expect, it } from 'vitest';
import { createWake } from '../../src/serving/wake.ts';

function sleeper(look: () => Promise<unknown>) {
  const state = { now: 0, looks: 0 };
  return {
    state,
    wake: createWake(
      () => (state.looks++, look()),
      () => state.now,
      5,
    ),
  };
}

it('looks once, for all that ask, after it slept; and not before', async () => {
  const { state, wake } = sleeper(() => Promise.resolve());
  for (state.now = 0; state.now < 100_000; state.now += 300) wake.tick();
  expect(wake.awake()).toBeUndefined();
  state.now += 600_000;
  const first = wake.awake();
  expect(first).toBeInstanceOf(Promise);
  wake.tick();
  expect(wake.awake()).toBe(first);
  await first;
  expect(wake.awake()).toBeUndefined();
  expect(state.looks).toBe(1);
});

it('looks when the timer is first to notice, too', async () => {
  const { state, wake } = sleeper(() => Promise.resolve());
  state.now += 600_000;
  wake.tick();
  await wake.awake();
  expect(state.looks).toBe(1);
  expect(wake.awake()).toBeUndefined();
});

it.each([
  ['fails', () => Promise.reject(new Error('the registry is away'))],
  ['never ends', () => new Promise<void>(() => {})],
])('goes on with what it has where the look %s', async (_, look) => {
  const { state, wake } = sleeper(look);
  state.now += 600_000;
  await wake.awake();
  expect(wake.awake()).toBeUndefined();
});

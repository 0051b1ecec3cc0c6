// Which phase of an experiment is the open one.

import { expect, it } from 'vitest';
import { openPhase, type Phase } from '../../src/rollouts/experiments/live/phases.ts';

// All that it goes by.
const phasesOf = (...states: readonly Phase['state'][]): Phase[] =>
  states.map((state, at) => ({ phase: at + 1, state }) as Phase);

it('the one that runs is open, though another is being started, before or after it', () => {
  expect(openPhase(phasesOf('ended', 'running', 'starting'))).toMatchObject({ phase: 2 });
  expect(openPhase(phasesOf('starting', 'running'))).toMatchObject({ phase: 2 });
});

it('the one that is being started is open where none runs, and none is where all have ended', () => {
  expect(openPhase(phasesOf('failed', 'starting', 'ended'))).toMatchObject({ phase: 2 });
  expect(openPhase(phasesOf('ended', 'failed'))).toBeUndefined();
  expect(openPhase([])).toBeUndefined();
});

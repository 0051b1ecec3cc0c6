// The state machine of a rollout by itself: what comes next by a row and what is seen.

import { describe, expect, it } from 'vitest';
import { decide, type Seen } from '../../src/rollouts/controller/decide.ts';
import { compilePlan } from '../../src/rollouts/controller/plan.ts';
import type { Guardrail, Rollout } from '../../src/rollouts/controller/rollout.ts';

const SECOND = 1_000_000;
const figures = { metric: 'error_rate', limit: 0.01, value: 0.02, evidence: {} };
const guardrail = (verdict: Guardrail['verdict']): Guardrail => ({ ...figures, verdict });
const plan = compilePlan({ steps: [10, 100], holdMicros: 60 * SECOND, watchMicros: 60 * SECOND }, undefined);

function next(row: Partial<Rollout>, seen: Partial<Seen> = {}) {
  // What it decides by.
  const fresh = { heldMicros: 0, stepMicros: 0, blindMicros: 0, reason: null, pausedBy: null };
  const rollout = { plan, state: 'watching', step: 1, candidate: 2, ...fresh, ...row } as unknown as Rollout;
  return decide(rollout, {
    traffic: { kind: 'active', waitsFor: [] },
    guardrails: [guardrail('healthy')],
    passedMicros: SECOND,
    ...seen,
  });
}

const long = { stepMicros: plan.maxHoldMicros };
const still = (seconds: number) => ({ kind: 'stay', progress: { heldMicros: seconds * SECOND } });
const held = (seconds: number): Partial<Rollout> => ({ heldMicros: seconds * SECOND });
const beside = { traffic: { kind: 'beside' } } as const;
const preparing = (...waitsFor: string[]): Partial<Seen> => ({ traffic: { kind: 'preparing', waitsFor } });
const active = (...waitsFor: string[]): Partial<Seen> => ({ traffic: { kind: 'active', waitsFor } });
const never = (who: string) => ({
  kind: 'pause',
  reason: expect.stringMatching(new RegExp(`^not decided after .*: ${who}$`)),
});
const lost: Seen['traffic'] = { kind: 'lost', reason: 'bob set the traffic' };
const undecided = { guardrails: [guardrail('undecided')] };
const breached = { guardrails: [guardrail('breached')] };
const blind = { guardrails: [guardrail('blind')] };

describe('what comes next', () => {
  it.each<[string, Partial<Rollout>, Partial<Seen>, object]>([
    ['the first step', { state: 'pending', step: 0 }, {}, { kind: 'ask', step: 1 }],
    ['nothing, while it is loaded', { state: 'preparing' }, preparing(), { kind: 'stay' }],
    ['nothing, beside what somebody set', { ...held(60), stepMicros: 60 * SECOND }, beside, { kind: 'stay' }],
    ['a pause, where it is never loaded', long, beside, never('servers have yet to load what somebody set beside it')],
    [
      'a pause that names who has not loaded it, where one never does',
      { state: 'preparing', ...long },
      preparing('host 7'),
      never('host 7 have yet to load the candidate'),
    ],
    ['settling, once it is active', { state: 'preparing' }, {}, { kind: 'move', to: 'settling' }],
    [
      'back, where it can not be loaded',
      { state: 'preparing' },
      { traffic: { kind: 'failed', reason: 'host 1: no' } },
      { kind: 'rollback', reason: 'version 2 can not be served: host 1: no' },
    ],
    ['nothing, in the warm-up', { state: 'settling', ...held(20) }, {}, { kind: 'stay' }],
    [
      'nothing, while one answers by the weights before',
      { state: 'settling', ...held(60) },
      active('host 1'),
      still(60),
    ],
    ['watching, after the warm-up', { state: 'settling', ...held(30) }, {}, { kind: 'move', to: 'watching' }],
    ['baking, with all traffic', { state: 'settling', step: 2, ...held(30) }, {}, { kind: 'move', to: 'baking' }],
    ['nothing, before the hold', held(30), {}, still(31)],
    ['the next step, after it', held(60), {}, { kind: 'ask', step: 2 }],
    ['nothing, while it is undecided', held(600), undecided, { kind: 'stay' }],
    ['a pause, where it stays so', long, undecided, { kind: 'pause' }],
    ['promotion', { state: 'baking', step: 2, ...held(60) }, {}, { kind: 'promote' }],
    ['back, at a breach', held(60), breached, { kind: 'rollback', reason: 'error_rate is 0.02, allowed 0.01' }],
    ['nothing, of a person’s pause', { state: 'paused', pausedBy: 'person' }, breached, { kind: 'stay' }],
    ['back, of its own pause', { state: 'paused', pausedBy: 'controller' }, breached, { kind: 'rollback' }],
    ['an end, where another took the traffic', {}, { traffic: lost }, { kind: 'abort', reason: 'bob set the traffic' }],
    ['nothing, while it goes back', { state: 'rolling_back' }, active('x'), { kind: 'stay' }],
    ['that it is back', { state: 'rolling_back' }, {}, { kind: 'move', to: 'rolled_back' }],
    ['back, after promotion', { state: 'promoted' }, breached, { kind: 'rollback' }],
    ['an alert, with other traffic', { state: 'promoted' }, { ...breached, traffic: lost }, { kind: 'end' }],
    ['the end of the watch', { state: 'promoted', stepMicros: 60 * SECOND }, {}, { kind: 'end', alert: null }],
  ])('is %s', (_what, row, seen, command) => {
    expect(next(row, seen)).toMatchObject(command);
  });

  it('counts no time in which nobody looked, was blind, or that a clock made up', () => {
    const progress = (row: Partial<Rollout>, seen: Partial<Seen>) => {
      const command = next(row, seen);
      return command.kind === 'stay' ? command.progress : undefined;
    };
    expect(progress(held(1), { passedMicros: 3600 * SECOND })).toMatchObject({ heldMicros: 11 * SECOND });
    expect(progress(held(1), { passedMicros: -SECOND })).toMatchObject({ heldMicros: SECOND });
    expect(progress(held(1), blind)).toEqual({ heldMicros: SECOND, stepMicros: SECOND, blindMicros: SECOND });
    expect(progress({ ...held(1), blindMicros: 9 }, {})).toMatchObject({ blindMicros: 0 });
  });

  it('is back after five minutes blind, where the plan says so, else it says so, and when it is over', () => {
    const nearly = { blindMicros: 299 * SECOND };
    expect(next(nearly, blind)).toMatchObject({ kind: 'note', isOver: false });
    expect(next({ blindMicros: 300 * SECOND }, blind)).toMatchObject({ kind: 'stay' });
    expect(next({ blindMicros: 300 * SECOND }, {})).toMatchObject({ kind: 'note', isOver: true });
    const careful = { ...plan, onBlind: 'rollback' as const };
    expect(next({ ...nearly, plan: careful }, blind)).toMatchObject({ kind: 'rollback' });
    expect(next({ blindMicros: 298 * SECOND, plan: careful }, blind)).toMatchObject({ kind: 'stay' });
  });
});

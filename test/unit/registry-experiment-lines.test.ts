// What a plan says of an experiment or of a rollout's plan that changes.

import { describe, expect, it } from 'vitest';
import type { ExperimentSpec, Manifest, RolloutSpec } from '../../src/definitions/index.ts';
import { plan } from '../support/plans.ts';
import { careful, flightsManifest, trial } from '../support/manifests.ts';

const withTrial = (over: Partial<ExperimentSpec> = {}): Manifest => ({
  ...flightsManifest,
  experiments: { trial: { ...trial, ...over } },
});
const withRollout = (over: Partial<RolloutSpec> = {}): Manifest => ({
  ...flightsManifest,
  rollouts: { careful: { ...careful, ...over } },
});
const detail = (before: Manifest, after: Manifest) =>
  plan(before, after).changes.map(({ kind, object, name, detail: lines }) => [kind, object, name, ...lines]);

describe('the plan of an experiment', () => {
  it('tells that it comes and goes', () => {
    expect(detail(flightsManifest, withTrial())).toEqual([['add', 'experiment', 'trial']]);
    expect(detail(withTrial(), flightsManifest)).toEqual([['remove', 'experiment', 'trial']]);
  });

  it('tells of arms, metrics and the plan by themselves', () => {
    const goal = trial.metrics.goal[0];
    if (goal === undefined) throw new Error('the trial has a goal');
    const late = { kind: 'outcome', endpoint: 'delay' } as const;
    const adjusted = { winsorize: { upper: 0.99 }, prePeriod: { values: late, windowMicros: 86_400_000_000 } };
    const parts = [{ values: { kind: 'output', endpoint: 'delay', output: 'probability' } }] as const;
    const arms = ['control 1', 'bold 3'].map((text) => {
      const [name = '', version] = text.split(' ');
      return { name, version: Number(version), weight: 40 };
    });
    const after = withTrial({
      arms,
      when: { origin: 'ATL' },
      metrics: {
        goal: [{ ...goal, ...adjusted }],
        secondary: [{ ...goal, name: 'p90', quantile: 0.9, parts }],
        guardrail: [],
      },
      plan: { kind: 'bandit', alpha: 0.05, correction: 'holm', everyMicros: 86_400_000_000, floor: 0.01 },
    });
    expect(detail(withTrial(), after)).toEqual([
      [
        'change',
        'experiment',
        'trial',
        '- arm "treatment"',
        'arm "control": version 1, 50 % → version 1, 40 %',
        '+ arm "bold": version 3, 40 %',
        'when: null → {"origin":"ATL"}',
        'goal "late": outcome of delay, down is better → outcome of delay, winsorized at 0.99, less outcome of delay over 1d before, down is better',
        '+ secondary "p90": output probability of delay, quantile 0.9, down is better',
        'plan: split, alpha 0.05, holm → bandit every 1d, floor 0.01, alpha 0.05, holm',
      ],
    ]);
  });
});

it("tells of a rollout's plan by its members", () => {
  const after = withRollout({ steps: [10, 100], guards: [], holdMicros: 60_000_000, onBlind: 'rollback' });
  expect(detail(withRollout(), after)).toEqual([
    [
      'change',
      'rollout',
      'careful',
      'steps: 1, 5, 25, 50, 100 → 10, 100',
      'guards: (error_rate<0.01) → ()',
      'hold: 10m → 1m',
      'onBlind: hold → rollback',
    ],
  ]);
});

// Experiments, metrics and plans of rollouts, as a manifest has them: every default in its place, and nothing where there are none.

import { describe, expect, it } from 'vitest';
import {
  endpoint,
  entity,
  experiment,
  featureService,
  featureView,
  latest,
  metric,
  model,
  parquet,
  rollout,
  sql,
  t,
} from '../../src/index.ts';
import { compile, mistakesOf } from '../support/written-definitions.ts';

const user = entity('user', { keys: { uid: t.string() } });
const orders = parquet('orders', {
  path: 'orders.parquet',
  columns: { uid: t.string(), at: t.timestamp(), price: t.float64() },
  eventTime: 'at',
});
const spent = featureView('spent', { entity: user, source: orders, features: { last: latest('price') } });
const service = featureService('features', [spent]);
const scored = model('scored', { features: service, outputs: { p: t.float32(), q: t.float32() } });
const ep = endpoint('ep', { model: scored, unit: ['uid'] });
const arms = { control: { version: 1, weight: 50 }, treatment: { version: 2, weight: 50 } } as const;

describe('an experiment', () => {
  it('is in the manifest with every default', () => {
    const exp = experiment('exp', {
      unit: ['uid'],
      arms,
      endpoints: [ep],
      metrics: {
        goal: [metric('total', { outcome: ep, aggregate: 'sum', prePeriod: metric('before', { outcome: ep }) })],
        secondary: [
          metric('per', {
            ratio: [
              { outcome: ep, aggregate: 'sum' },
              { outcome: ep, aggregate: 'count' },
            ],
          }),
        ],
      },
    });
    const outcome = { kind: 'outcome', endpoint: 'ep' };
    expect(compile({ exp }).manifest.experiments).toEqual({
      exp: {
        name: 'exp',
        unit: ['uid'],
        endpoints: ['ep'],
        arms: [
          { name: 'control', version: 1, weight: 50 },
          { name: 'treatment', version: 2, weight: 50 },
        ],
        control: 'control',
        metrics: {
          goal: [
            {
              name: 'total',
              parts: [{ values: outcome, aggregate: 'sum' }],
              prePeriod: { values: outcome },
              direction: 'up',
              worth: 0.1,
            },
          ],
          secondary: [
            {
              name: 'per',
              parts: [
                { values: outcome, aggregate: 'sum' },
                { values: outcome, aggregate: 'count' },
              ],
              direction: 'up',
              worth: 0.1,
            },
          ],
          guardrail: [],
        },
        plan: { kind: 'split', alpha: 0.05, correction: 'holm' },
      },
    });
  });

  it('measures SQL over sources, logged outputs and quantiles', () => {
    const exp = experiment('exp', {
      unit: ['uid'],
      arms,
      endpoints: [ep],
      metrics: {
        goal: [
          metric('paid', {
            sql: sql`SELECT uid AS unit, at AS time, price AS value FROM orders`,
            over: [orders],
            window: '7d',
            winsorize: 0.99,
          }),
        ],
        guardrail: [metric('p90', { output: 'q', quantile: 0.9, direction: 'down' })],
      },
    });
    const { manifest } = compile({ exp });
    expect(manifest.experiments?.['exp']?.metrics).toMatchObject({
      goal: [
        {
          parts: [
            {
              values: {
                kind: 'sql',
                sql: 'SELECT uid AS unit, at AS time, price AS value FROM orders',
                over: [{ source: 'orders', isStatic: false }],
              },
              windowMicros: 7 * 86_400_000_000,
            },
          ],
          winsorize: { upper: 0.99 },
        },
      ],
      guardrail: [{ parts: [{ values: { kind: 'output', endpoint: 'ep', output: 'q' } }], quantile: 0.9 }],
    });
    // What only a metric names is found by it.
    expect(Object.keys(manifest.sources)).toEqual(['orders']);
  });

  it('takes the first arm for the control where none is called so, and a bandit its own defaults', () => {
    const exp = experiment('exp', {
      unit: ['uid'],
      arms: { a: { version: 1, weight: 50 }, b: { version: 'latest', weight: 25 } },
      endpoints: [ep],
      namespace: { name: 'prices', range: [0.5, 1] },
      when: { uid: { $nin: ['admin'] }, $or: [{ uid: { $gt: 'a' } }, { uid: 'Z' }] },
      metrics: { goal: [metric('won', { outcome: ep })] },
      plan: { kind: 'bandit' },
    });
    expect(compile({ exp }).manifest.experiments?.['exp']).toMatchObject({
      control: 'a',
      namespace: { name: 'prices', range: [0.5, 1] },
      when: { uid: { $nin: ['admin'] } },
      plan: { kind: 'bandit', alpha: 0.05, correction: 'holm', everyMicros: 86_400_000_000, floor: 0.01 },
    });
  });

  it('is told of a unit that an endpoint of a metric lacks, once', () => {
    const flight = entity('flight', { keys: { flight: t.string() } });
    const view = featureView('flown', {
      entity: flight,
      source: orders,
      keys: { flight: 'uid' },
      features: { last: latest('price') },
    });
    const other = endpoint('other', {
      model: model('m', { features: featureService('f', [view]), outputs: { p: t.float32() } }),
    });
    const exp = experiment('exp', {
      unit: ['uid'],
      arms,
      endpoints: [ep],
      metrics: { goal: [metric('won', { outcome: other })] },
    });
    expect(mistakesOf({ exp })).toEqual([
      expect.stringContaining('endpoint "other" has no request column "uid" of the experiment\'s unit; it has flight.'),
    ]);
  });
});

describe("a rollout's plan", () => {
  it('is in the manifest with every default', () => {
    expect(compile({ plan: rollout('careful', { endpoint: ep }) }).manifest.rollouts).toEqual({
      careful: {
        name: 'careful',
        endpoint: 'ep',
        steps: [1, 5, 25, 50, 100],
        holdMicros: 600_000_000,
        warmupMicros: 30_000_000,
        minUnits: 200,
        maxHoldMicros: 86_400_000_000,
        guards: [],
        onBlind: 'hold',
        maturityMicros: 0,
        watchMicros: 0,
        cooldownMicros: 3_600_000_000,
        bakeMicros: 600_000_000,
      },
    });
  });

  it('bakes for as long as it holds, unless it says otherwise', () => {
    const bakeOf = (plan: unknown) => compile({ plan }).manifest.rollouts?.['careful']?.bakeMicros;
    expect(bakeOf(rollout('careful', { endpoint: ep, hold: '1h' }))).toBe(3_600_000_000);
    expect(bakeOf(rollout('careful', { endpoint: ep, hold: '1h', bake: '0s' }))).toBe(0);
  });
});

it('leaves no trace in manifests without either, so that their hashes stay', () => {
  const { manifest } = compile({ ep });
  expect(manifest).not.toHaveProperty('experiments');
  expect(manifest).not.toHaveProperty('rollouts');
});

// Which arm a row gets, and in which order is asked: forced, rule, holdout, namespace, experiment, rollout, base.

import { describe, expect, it } from 'vitest';
import type { Field, Value } from '../../src/core/index.ts';
import { BUCKETS, type LiveExperiment, type Variant } from '../../src/registry/index.ts';
import { bucketOf, compileRoutes, fnv1a, isShadowed, type Route } from '../../src/rollouts/index.ts';

const COLUMNS: readonly Field[] = [
  { name: 'uid', type: { kind: 'string' } },
  { name: 'account', type: { kind: 'int64' } },
  { name: 'flag', type: { kind: 'bool' } },
  { name: 'at', type: { kind: 'timestamp' } },
  { name: 'amount', type: { kind: 'float64' } },
  { name: 'share', type: { kind: 'float32' } },
];

const row = (given: Readonly<Record<string, Value>>): Value[] => COLUMNS.map(({ name }) => given[name] ?? null);

const stable: Variant = { name: 'stable', version: 1, weight: 75, ranges: [[0, 7500]] };
const candidate: Variant = { name: 'candidate', version: 2, weight: 25, ranges: [[7500, BUCKETS]] };
const traffic = { name: 'ep', salt: 'salt', variants: [stable, candidate], experiments: [] as LiveExperiment[] };
const EXPERIMENT: LiveExperiment = {
  name: 'exp',
  phase: 3,
  seed: 'exp seed',
  unit: ['uid'],
  namespace: null,
  when: null,
  arms: [
    { name: 'control', version: 1, ranges: [[0, 5000]] },
    { name: 'treatment', version: 3, ranges: [[5000, BUCKETS]] },
  ],
};

type Given = Parameters<typeof compileRoutes>[0];
type Spec = Parameters<typeof compileRoutes>[1];

function routeFor(given: Given, spec: Spec, values: Readonly<Record<string, Value>>, requestId = 'r'): Route {
  const routes = compileRoutes(given, spec, COLUMNS);
  const unit = routes.unitOf(row(values), requestId);
  return routes.of(row(values), requestId, unit, routes.hashOf(unit));
}

const units = Array.from({ length: 2000 }, (_, n) => `unit ${n}`);

describe('a unit', () => {
  it.each<[readonly string[], string, Readonly<Record<string, Value>>]>([
    [['uid'], 'ATL', { uid: 'ATL' }],
    [['uid'], '', { uid: '' }],
    [['uid'], '', {}],
    [['account'], '7', { account: 7n }],
    [['account'], '9007199254740993', { account: 9007199254740993n }],
    [['account'], '', { account: 0n }],
    [['flag'], 'true', { flag: true }],
    [['flag'], '', { flag: false }],
    [['amount'], '0.5', { amount: 0.5 }],
    [['amount'], '', { amount: -0 }],
    [['share'], '0.1', { share: Math.fround(0.1) }],
    [['share', 'uid'], '[0.3,"x"]', { share: Math.fround(0.3), uid: 'x' }],
    [['at'], '1970-01-01T00:00:00Z', { at: 0 }],
    [['uid', 'account'], '["é\\"",9007199254740993]', { uid: 'é"', account: 9007199254740993n }],
    [['uid', 'account'], '[null,null]', {}],
    [[], 'the request’s id', {}],
  ])('of columns %j is %j', (unit, text, values) => {
    const routes = compileRoutes(traffic, { unit }, COLUMNS);
    expect(routes.unitOf(row(values), 'the request’s id')).toBe(text);
    expect(routes.hashOf(text)).toBe(text === '' ? 0 : fnv1a(`salt${text}`));
  });

  it('that a row lacks gives it the base, told so, and no experiment that has that unit', () => {
    const experiments = [EXPERIMENT, { ...EXPERIMENT, name: 'other', unit: ['account'] }];
    const lacking = routeFor({ ...traffic, experiments: [EXPERIMENT] }, { unit: ['uid'] }, {});
    expect(lacking).toMatchObject({ variant: 'stable', via: 'no_unit' });
    const byAccount = routeFor({ ...traffic, experiments }, { unit: ['uid'] }, { account: 5n });
    expect(byAccount).toMatchObject({ experiment: 'other' });
  });

  it('of no column that requests carry is refused', () => {
    expect(() => compileRoutes(traffic, { unit: ['gone'] }, COLUMNS)).toThrow(
      /no column "gone"; they carry uid, account/,
    );
    const rules = [{ when: { gone: 1 }, variant: 'stable' }];
    expect(() => compileRoutes(traffic, { unit: [], rules }, COLUMNS)).toThrow(/no column "gone"/);
  });
});

describe('the order', () => {
  it('is a variant by its buckets, where nothing comes before', () => {
    for (const uid of units) {
      const route = routeFor(traffic, { unit: ['uid'] }, { uid });
      const variant = bucketOf('salt', uid) < 7500 ? 'stable' : 'candidate';
      expect(route).toMatchObject({ variant, via: 'rollout', experiment: null, phase: 0 });
    }
  });

  it('says base where there is nothing to choose from', () => {
    const one = { ...traffic, variants: [{ ...stable, weight: 100, ranges: [[0, BUCKETS]] as const }] };
    expect(routeFor(one, { unit: ['uid'] }, { uid: 'a' })).toMatchObject({ variant: 'stable', via: 'base' });
  });

  it('asks an experiment before the rollout; who has a bucket of no arm goes on', () => {
    const range = (from: number, to: number) => [from, to] as const;
    const control = { name: 'control', version: 1, ranges: [range(0, 1000), range(2000, 3000)] };
    const treatment = { name: 'treatment', version: 3, ranges: [range(1000, 2000)] };
    const half: LiveExperiment = { ...EXPERIMENT, arms: [control, treatment] };
    for (const uid of units) {
      const route = routeFor({ ...traffic, experiments: [half] }, { unit: ['uid'] }, { uid });
      const bucket = bucketOf('exp seed', uid);
      if (bucket >= 3000) expect(route).toMatchObject({ via: 'rollout', experiment: null });
      else {
        const variant = bucket >= 1000 && bucket < 2000 ? 'treatment' : 'control';
        expect(route).toMatchObject({ via: 'experiment', experiment: 'exp', phase: 3, variant });
      }
    }
  });

  it('gives a unit the same arm at whatever endpoint', () => {
    for (const uid of units.slice(0, 200)) {
      const experiments = [EXPERIMENT];
      const one = routeFor({ ...traffic, experiments }, { unit: ['uid'] }, { uid });
      const elsewhere = { ...traffic, name: 'b', salt: 'other', experiments };
      const other = routeFor(elsewhere, { unit: ['account'] }, { uid });
      expect(other.variant).toBe(one.variant);
    }
  });

  it('asks the namespace before the experiment, so that two that share it share nobody', () => {
    const [low, high] = [
      { ...EXPERIMENT, namespace: { seed: 'room', ranges: [[0, 0.4]] as const } },
      { ...EXPERIMENT, name: 'second', namespace: { seed: 'room', ranges: [[0.4, 0.8]] as const } },
    ];
    for (const uid of units) {
      const { experiment } = routeFor({ ...traffic, experiments: [low, high] }, { unit: ['uid'] }, { uid });
      const bucket = bucketOf('room', uid);
      expect(experiment).toBe(bucket < 4000 ? 'exp' : bucket < 8000 ? 'second' : null);
    }
  });

  it('asks the holdout before experiments: the same units at all endpoints that name it, and more as it grows', () => {
    const at = (percent: number, salt: string): Set<string> =>
      new Set(
        units.filter((uid) => {
          const holdout = { name: 'held', percent };
          const route = routeFor({ ...traffic, salt, experiments: [EXPERIMENT] }, { unit: ['uid'], holdout }, { uid });
          if (route.via === 'holdout') expect(route.variant).toBe('stable');
          return route.via === 'holdout';
        }),
      );
    const [ten, elsewhere, twenty] = [at(10, 'salt'), at(10, 'other'), at(20, 'salt')];
    expect(ten).toEqual(elsewhere);
    expect([...ten].every((uid) => twenty.has(uid))).toBe(true);
    expect(Math.abs(twenty.size - 400)).toBeLessThan(100);
    expect(at(0, 'salt').size).toBe(0);
    expect(at(100, 'salt').size).toBe(units.length);
  });

  it('asks rules before all else, in their order; one that names nobody gives the base', () => {
    const rules = [
      { when: { amount: { $gte: 100 } }, variant: 'candidate' },
      { when: { account: { $in: [7, 8] } }, variant: 'exp/treatment' },
      { when: { flag: true }, variant: 'gone' },
    ];
    const spec = { unit: ['uid'], rules, holdout: { name: 'held', percent: 100 } };
    const by = (values: Readonly<Record<string, Value>>): Route =>
      routeFor({ ...traffic, experiments: [EXPERIMENT] }, spec, values);
    expect(by({ amount: 100, account: 7n })).toMatchObject({ variant: 'candidate', via: 'rule', version: 2 });
    expect(by({ account: 8n, flag: true })).toMatchObject({ place: 3, via: 'rule', version: 3 });
    expect(by({ flag: true })).toMatchObject({ variant: 'stable', via: 'rule' });
    expect(by({ uid: 'x' })).toMatchObject({ via: 'holdout' });
  });

  it('asks what an experiment wants of a request', () => {
    const experiments = [{ ...EXPERIMENT, when: { at: { $gte: '2026' } } }];
    const at = (micros: number): Route =>
      routeFor({ ...traffic, experiments }, { unit: ['uid'] }, { uid: 'a', at: micros });
    expect(at(Date.UTC(2025, 11, 31) * 1000).experiment).toBeNull();
    expect(at(Date.UTC(2026, 0, 1) * 1000).experiment).toBe('exp');
  });

  it('has a route for each arm that is forced, by its name', () => {
    const { forced, arms } = compileRoutes({ ...traffic, experiments: [EXPERIMENT] }, { unit: ['uid'] }, COLUMNS);
    expect(arms.map(({ name }) => forced(name))).toMatchObject([
      { place: 0, variant: 'stable', via: 'forced', experiment: null },
      { place: 1, variant: 'candidate', via: 'forced' },
      { place: 2, variant: 'control', via: 'forced', experiment: 'exp', phase: 3, version: 1 },
      { place: 3, variant: 'treatment', via: 'forced', experiment: 'exp', phase: 3, version: 3 },
    ]);
    expect(forced('control')).toBeUndefined();
  });

  it('leaves out an experiment that asks for what requests don’t carry, where it may, and keeps all places', () => {
    const gone = { ...EXPERIMENT, name: 'gone', when: { gone: 1 } };
    const given = { ...traffic, experiments: [gone, EXPERIMENT] };
    expect(() => compileRoutes(given, { unit: ['uid'] }, COLUMNS)).toThrow('no column "gone"');
    const told: string[] = [];
    const routes = compileRoutes(given, { unit: ['uid'] }, COLUMNS, ({ message }) => void told.push(message));
    expect(told).toEqual([expect.stringContaining('no column "gone"')]);
    expect(routes.forced('gone/control')).toBeUndefined();
    expect(routes.forced('exp/treatment')).toMatchObject({ place: 5, experiment: 'exp' });
    for (const uid of units.slice(0, 50)) {
      const route = routes.of(row({ uid }), 'r', uid, routes.hashOf(uid));
      expect(route).toMatchObject({ via: 'experiment', experiment: 'exp' });
    }
  });

  it('makes no route anew', () => {
    const routes = compileRoutes({ ...traffic, experiments: [EXPERIMENT] }, { unit: ['uid'] }, COLUMNS);
    const made = new Set<Route>();
    for (const uid of units) {
      const given = row({ uid });
      made.add(routes.of(given, 'r', uid, routes.hashOf(uid)));
    }
    expect(made.size).toBe(2);
  });
});

it('shadows independently of variants, monotone in the percentage', () => {
  const shadowed = (percent: number): string[] => units.filter((uid) => isShadowed('salt', 2, percent, uid));
  const some = new Set(shadowed(30));
  expect(shadowed(10).every((uid) => some.has(uid))).toBe(true);
  const both = units.filter((uid) => some.has(uid) && bucketOf('salt', uid) >= 7500).length;
  expect(Math.abs(both / units.length - 0.075)).toBeLessThan(4 * Math.sqrt((0.075 * 0.925) / units.length));
});

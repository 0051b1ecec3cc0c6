import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../src/core/index.ts';
import { checkManifest, resolveService, viewVersion } from '../../src/definitions/index.ts';
import * as hr from '../../src/index.ts';
import { count, entity, featureService, featureView, onDemandView, pushed, t } from '../../src/index.ts';
import { airport, compile, delays, flights, mistakesOf, view } from '../support/written-definitions.ts';

const onDemand = (name: string) =>
  hr.onDemandView(name, {
    inputs: { r: { x: hr.t.float64() } },
    features: { y: hr.t.float64() },
    transform: ({ r }) => ({ y: r.x }),
  });

describe('the manifest', () => {
  it('gives every aggregation its result type and its default hop', () => {
    const v = hr.featureView('v', {
      entity: airport,
      source: flights,
      keys: { airport: 'origin' },
      features: {
        a: hr.latest('tags'),
        b: hr.count().over('5m'),
        c: hr.sum('seats').over('12h'),
        d: hr.sum('miles').over('13h'),
        e: hr.sum('distance').over('12d'),
        f: hr.mean('seats').over('13d'),
        g: hr.min('at').over('1d'),
        h: hr.max('origin').over('1d'),
        i: hr.stddev('seats').over('1d'),
        j: hr.variance('delay').over('1d'),
        k: hr.first('seats').over('1d'),
        l: hr.last('tags').over('1d'),
        m: hr.lastN('delay', 3).over('1d'),
        n: hr.countDistinct('origin').over('1d', { hop: '10m' }),
      },
    });
    const { features } = compile({ v }).manifest.views['v'] ?? { features: [] };
    const hopOf = (of: object) => ('hopMicros' in of ? Number(of.hopMicros) / 60_000_000 : '-');
    expect(features.map((one) => `${one.name} ${one.type.kind} ${hopOf(one.aggregation)}`).join()).toBe(
      'a list -,b int64 5,c int64 5,d int64 60,e float64 60,f float64 1440,g timestamp 60,h string 60,' +
        'i float64 60,j float64 60,k int32 60,l list 60,m list 60,n int64 10',
    );
    expect(features[12]?.type).toEqual({ kind: 'list', of: { kind: 'float64' } });
  });

  it('has what a model says of its rows, a boolean, and of a graph nothing', () => {
    const svc = hr.featureService('svc', [onDemand('one')]);
    const made = (batch: unknown, more = {}) =>
      hr.model('m', { features: svc, outputs: { p: hr.t.float32() }, batch, ...more } as Parameters<
        typeof hr.model
      >[1]);
    const batchOf = (batch: unknown) => {
      const { manifest } = compile({ m: made(batch) });
      checkManifest(manifest);
      return manifest.models['m']?.batch;
    };
    expect([batchOf(true), batchOf(false), batchOf(undefined)]).toEqual([true, false, undefined]);
    const inner = hr.model('inner', { features: svc, outputs: { p: hr.t.float32() } });
    for (const [batch, shown] of [
      ['yes', 'string "yes"'],
      [1n, 'bigint 1'],
    ] as const)
      expect(mistakesOf({ m: made(batch) })).toEqual([
        expect.stringMatching(new RegExp(`model "m": batch must be true or false, got ${shown}$`)),
      ]);
    expect(mistakesOf({ m: made(true, { graph: hr.modelNode('node', inner) }) })).toEqual([
      expect.stringMatching(/model "m": it is made of others, so batch belongs to the models of its nodes$/),
    ]);
  });

  it('fills in what users leave out', () => {
    const columns = { airport: hr.t.string(), at: hr.t.timestamp() };
    const events = hr.pushed('events', { columns, eventTime: 'at', knownTime: { after: '5m' } });
    const features = { n: hr.count().over('1d') };
    const v = hr.featureView('v', { entity: airport, source: events, features, freshness: { every: '1h' } });
    const svc = hr.featureService('svc', [v]);
    const m = hr.model('m', { features: svc, outputs: { p: hr.t.float32() } });
    const { manifest } = compile({ e: hr.endpoint('e', { model: m }), flights });
    const after = { kind: 'after', micros: 300_000_000 };
    expect(manifest.sources['events']).toMatchObject({ pushes: 'keep', knownTime: after, location: {} });
    const byColumn = { pushes: 'until-materialized', knownTime: { kind: 'column', column: 'at' } };
    expect(manifest.sources['flights']).toMatchObject(byColumn);
    expect(manifest.views['v']).toMatchObject({
      keyColumns: ['airport'],
      ttlMicros: null,
      freshness: { kind: 'scheduled', everyMicros: 3_600_000_000, lagMicros: 0 },
    });
    expect(manifest.endpoints['e']).toEqual({ name: 'e', model: 'm', unit: [], whenStoreDown: 'fail' });
    expect(manifest.models['m']?.providers).toEqual(['cpu']);
    const rules = [{ when: { airport: { $in: ['ATL'] } }, variant: 'stable' }];
    const holdout = { name: 'held', percent: 2.5 };
    const careful = hr.endpoint('careful', { model: m, unit: ['airport'], rules, holdout, cache: { ttl: '10s' } });
    const whole = compile({ careful, flights }).manifest;
    const cache = { ttlMicros: 10_000_000, maxBytes: 16 * 2 ** 20, maxEntries: 100_000 };
    expect(whole.endpoints['careful']).toMatchObject({ unit: ['airport'], rules, holdout, cache });
    checkManifest(whole);
  });

  it('depends on neither the order of exports nor their names', () => {
    const o = hr.onDemandView('o', {
      inputs: { r: { x: hr.t.float64() }, v: delays },
      features: { y: hr.t.float64() },
      transform: ({ r }) => ({ y: r.x }),
    });
    const objects = { o, delays, flights, airport, svc: hr.featureService('svc', [delays, o]) };
    const hash = compile(objects).hash;
    fc.assert(
      fc.property(fc.shuffledSubarray(Object.keys(objects), { minLength: 5 }), (names) => {
        expect(compile(objects, () => names).hash).toBe(hash);
      }),
    );
    expect(compile({ x: objects.svc, y: objects.svc, z: 42, w: undefined }).hash).toBe(hash);
  });

  it('changes its hash with a function, a window, a description', () => {
    const hash = (
      transform: (inputs: { r: { x: number | null } }) => { y: number | null },
      window = '1d',
      description = 'd',
    ) =>
      compile({
        o: hr.onDemandView('o', { inputs: { r: { x: hr.t.float64() } }, features: { y: hr.t.float64() }, transform }),
        v: view('v', { features: { n: hr.count().over(window) }, description }),
      }).hash;
    const base = hash(({ r }) => ({ y: r.x }));
    expect(hash(({ r }) => ({ y: r.x }))).toBe(base);
    const [one, two] = [hash(({ r }) => ({ y: r.x ?? 0 })), hash(({ r }) => ({ y: r.x }), '2d')];
    expect(new Set([base, one, two, hash(({ r }) => ({ y: r.x }), '1d', 'e')]).size).toBe(4);
  });

  it('survives JSON unchanged, big defaults included', () => {
    const big = hr.entity('big', { keys: { id: hr.t.int64() } });
    const { int64, timestamp, bytes, vector } = hr.t;
    const columns = { id: int64(), n: int64(), at: timestamp(), raw: bytes(), v: vector(2) };
    const s = hr.parquet('s', { path: 'x', columns, eventTime: 'at' });
    const v = hr.featureView('v', {
      entity: big,
      source: s,
      features: {
        a: hr.latest('n').default(2n ** 60n),
        b: hr.latest('n').default(7n),
        c: hr.latest('at').default(new Date(0)),
        d: hr.latest('raw').default(Uint8Array.of(1)),
        e: hr.latest('v').default([1, 2]),
      },
    });
    const { manifest, hash } = compile({ v });
    const back = parseJson(stringifyJson(manifest));
    checkManifest(back);
    expect(back).toEqual(manifest);
    const defaults = manifest.views['v']?.features.map((feature) => feature.default);
    expect(defaults).toEqual([2n ** 60n, 7, '1970-01-01T00:00:00Z', 'AQ==', [1, 2]]);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is refused by its schema when it was tampered with', () => {
    const { manifest } = compile({ delays });
    expect(() => checkManifest({ ...manifest, extra: 1 })).toThrow(/schema/);
    expect(() => checkManifest({ ...manifest, format: 2 })).toThrow(/schema/);
  });

  it('holds the functions that it names', () => {
    const o = onDemand('o');
    const p = hr.pipeline('p');
    const one = hr.task(() => 1);
    p.step('s', one);
    const { functions } = compile({ o, flights, p });
    expect([...functions.keys()].sort()).toEqual(['onDemand/o', 'pipeline/p/s', 'source/flights/derive/is_late']);
  });

  it('holds services with roles, picks and nested on-demand views', () => {
    const inner = onDemand('inner');
    const outer = hr.onDemandView('outer', {
      inputs: { inner, o: delays.as('o', { airport: 'from' }) },
      features: { z: hr.t.float64() },
      transform: ({ inner: i }) => ({ z: i.y }),
    });
    const roles = [delays.as('a', { airport: 'from' }).pick('n'), delays.as('b', { airport: 'to' })] as const;
    const svc = hr.featureService('svc', [...roles, outer.as('out')]);
    const resolved = resolveService(compile({ svc }).manifest, 'svc');
    expect(resolved.features.map((feature) => feature.name)).toEqual(['a__n', 'b__d', 'b__n', 'out__z']);
    expect(resolved.requestColumns.map((column) => column.name)).toEqual(['from', 'to', 'x']);
    expect(() => resolveService(compile({ svc }).manifest, 'constructor')).toThrow(/no feature service "constructor"/);
  });
});

// Request columns that may be absent: as they are written, in the manifest, and as a service asks for them.
const events = pushed('events', { columns: { id: t.string(), at: t.timestamp() }, eventTime: 'at' });

function written(
  key: ReturnType<typeof t.string>,
  ...requests: readonly Record<string, ReturnType<typeof t.float64>>[]
) {
  const user = entity('user', { keys: { id: key } });
  const seen = featureView('seen', { entity: user, source: events, features: { n: count().over('1d') } });
  const views = requests.map((request, i) =>
    onDemandView(`o${i}`, { inputs: { request }, features: { y: t.float64() }, transform: () => ({ y: null }) }),
  );
  return { seen, service: featureService('s', [seen, ...views]), ...Object.fromEntries(views.map((v) => [v.name, v])) };
}

const columns = (...given: Parameters<typeof written>) =>
  resolveService(compile(written(...given)).manifest, 's').requestColumns.map(({ type: _type, ...rest }) => rest);

describe('the manifest', () => {
  it('says what is optional and what has a default, and passes its schema', () => {
    const request = { a: t.float64().optional(), b: t.float64().default(2) };
    const { manifest } = compile(written(t.string().optional(), request));
    expect(manifest.entities['user']?.keys).toEqual([{ name: 'id', type: { kind: 'string' }, isOptional: true }]);
    const columns = [
      { name: 'a', type: { kind: 'float64' }, isOptional: true },
      { name: 'b', type: { kind: 'float64' }, default: 2 },
    ];
    expect(manifest.onDemandViews['o0']?.inputs).toEqual([{ kind: 'request', name: 'request', columns }]);
    expect(() => checkManifest(JSON.parse(JSON.stringify(manifest)))).not.toThrow();
  });

  it('is the same for a default that is optional, too', () => {
    const of = (type: ReturnType<typeof t.float64>) => compile(written(t.string(), { a: type })).manifest;
    expect(of(t.float64().default(1).optional())).toEqual(of(t.float64().default(1)));
    expect(of(t.float64().optional().default(1))).toEqual(of(t.float64().default(1)));
  });

  it('keeps the version of a view whose entity may be absent: what is stored is the same', () => {
    const versions = [t.string(), t.string().optional(), t.string().default('nobody')].map((key) =>
      viewVersion(compile(written(key)).manifest, 'seen'),
    );
    expect(new Set(versions).size).toBe(1);
  });

  it('does not say that of what requests do not carry', () => {
    const optional = t.float64().optional();
    const events = pushed('events', { columns: { x: optional, at: t.timestamp() }, eventTime: 'at' });
    const transform = () => ({ y: 1 });
    const o = onDemandView('o', { inputs: { r: { x: optional } }, features: { y: optional }, transform });
    expect(() => compile({ events, o })).toThrow(/feature "y" can't be optional(.|\n)*column "x" can't be optional/);
  });
});

describe('a service', () => {
  it('asks for what any of its views must have', () => {
    const [id, a] = [{ name: 'id' }, { name: 'a' }];
    const optional = t.float64().optional();
    expect(columns(t.string(), { a: t.float64() })).toEqual([id, a]);
    expect(columns(t.string().optional(), { a: optional }, { a: optional })).toEqual([
      { ...id, isOptional: true },
      { ...a, isOptional: true },
    ]);
    expect(columns(t.string(), { a: optional }, { a: t.float64() })).toEqual([id, a]);
    expect(columns(t.string().default('x'), { a: t.float64().default(1) }, { a: t.float64().default(1) })).toEqual([
      { ...id, default: 'x' },
      { ...a, default: 1 },
    ]);
  });

  it('has one default for a column, whoever asks for it', () => {
    const two = (one: ReturnType<typeof t.float64>, other: ReturnType<typeof t.float64>) => () =>
      compile(written(t.string(), { a: one }, { a: other }));
    expect(two(t.float64().default(1), t.float64().default(2))).toThrow(
      'request column "a" has the default 1 for view "o0" and the default 2 for view "o1". Give both the same',
    );
    expect(two(t.float64().optional(), t.float64().default(2))).toThrow('no default for view "o0" and the default 2');
  });
});

// Experiments, metrics and plans of rollouts, as a manifest has them: every default in its place, and nothing where there are none.
const user = hr.entity('user', { keys: { uid: hr.t.string() } });
const orders = hr.parquet('orders', {
  path: 'orders.parquet',
  columns: { uid: hr.t.string(), at: hr.t.timestamp(), price: hr.t.float64() },
  eventTime: 'at',
});
const spent = hr.featureView('spent', { entity: user, source: orders, features: { last: hr.latest('price') } });
const service = hr.featureService('features', [spent]);
const scored = hr.model('scored', { features: service, outputs: { p: hr.t.float32(), q: hr.t.float32() } });
const ep = hr.endpoint('ep', { model: scored, unit: ['uid'] });
const arms = { control: { version: 1, weight: 50 }, treatment: { version: 2, weight: 50 } } as const;

/** The experiment `exp` of these metrics, compiled. */
const compiled = (metrics: object, more: object = {}) => {
  const made = { unit: ['uid'], arms, endpoints: [ep], metrics, ...more };
  return compile({ exp: hr.experiment('exp', made as never) }).manifest;
};

describe('an experiment', () => {
  it('is in the manifest with every default', () => {
    const outcome = { kind: 'outcome', endpoint: 'ep' };
    const [sum, count] = (['sum', 'count'] as const).map((aggregate) => ({ outcome: ep, aggregate }));
    const before = hr.metric('before', { outcome: ep });
    const total = hr.metric('total', { outcome: ep, aggregate: 'sum', prePeriod: before });
    const of = (name: string, aggregates: string[], more = {}) => {
      const parts = aggregates.map((aggregate) => ({ values: outcome, aggregate }));
      return { name, parts, direction: 'up', worth: 0.1, ...more };
    };
    const per = hr.metric('per', { ratio: [sum, count] as never });
    expect(compiled({ goal: [total], secondary: [per] }).experiments?.['exp']).toEqual({
      name: 'exp',
      unit: ['uid'],
      endpoints: ['ep'],
      arms: [
        { name: 'control', version: 1, weight: 50 },
        { name: 'treatment', version: 2, weight: 50 },
      ],
      control: 'control',
      metrics: {
        goal: [of('total', ['sum'], { prePeriod: { values: outcome } })],
        secondary: [of('per', ['sum', 'count'])],
        guardrail: [],
      },
      plan: { kind: 'split', alpha: 0.05, correction: 'holm' },
    });
  });

  it('measures SQL over sources, logged outputs and quantiles', () => {
    const text = 'SELECT uid AS unit, at AS time, price AS value FROM orders';
    const paid = hr.metric('paid', { sql: hr.sql([text] as never), over: [orders], window: '7d', winsorize: 0.99 });
    const p90 = hr.metric('p90', { output: 'q', quantile: 0.9, direction: 'down' });
    const manifest = compiled({ goal: [paid], guardrail: [p90] });
    const values = { kind: 'sql', sql: text, over: [{ source: 'orders', isStatic: false }] };
    expect(manifest.experiments?.['exp']?.metrics).toMatchObject({
      goal: [{ parts: [{ values, windowMicros: 7 * 86_400_000_000 }], winsorize: { upper: 0.99 } }],
      guardrail: [{ parts: [{ values: { kind: 'output', endpoint: 'ep', output: 'q' } }], quantile: 0.9 }],
    });
    // What only a metric names is found by it.
    expect(Object.keys(manifest.sources)).toEqual(['orders']);
  });

  it('takes the first arm for the control where none is called so, and a bandit its own defaults', () => {
    const manifest = compiled(
      { goal: [hr.metric('won', { outcome: ep })] },
      {
        arms: { a: { version: 1, weight: 50 }, b: { version: 'latest', weight: 25 } },
        namespace: { name: 'prices', range: [0.5, 1] },
        when: { uid: { $nin: ['admin'] }, $or: [{ uid: { $gt: 'a' } }, { uid: 'Z' }] },
        plan: { kind: 'bandit' },
      },
    );
    expect(manifest.experiments?.['exp']).toMatchObject({
      control: 'a',
      namespace: { name: 'prices', range: [0.5, 1] },
      when: { uid: { $nin: ['admin'] } },
      plan: { kind: 'bandit', alpha: 0.05, correction: 'holm', everyMicros: 86_400_000_000, floor: 0.01 },
    });
  });

  it('is told of a unit that an endpoint of a metric lacks, once', () => {
    const flight = hr.entity('flight', { keys: { flight: hr.t.string() } });
    const features = { last: hr.latest('price') };
    const view = hr.featureView('flown', { entity: flight, source: orders, keys: { flight: 'uid' }, features });
    const model = hr.model('m', { features: hr.featureService('f', [view]), outputs: { p: hr.t.float32() } });
    const won = hr.metric('won', { outcome: hr.endpoint('other', { model }) });
    const exp = hr.experiment('exp', { unit: ['uid'], arms, endpoints: [ep], metrics: { goal: [won] } });
    expect(mistakesOf({ exp })).toEqual([
      expect.stringContaining('endpoint "other" has no request column "uid" of the experiment\'s unit; it has flight.'),
    ]);
  });
});

describe("a rollout's plan", () => {
  it('is in the manifest with every default', () => {
    expect(compile({ plan: hr.rollout('careful', { endpoint: ep }) }).manifest.rollouts).toEqual({
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
    expect(bakeOf(hr.rollout('careful', { endpoint: ep, hold: '1h' }))).toBe(3_600_000_000);
    expect(bakeOf(hr.rollout('careful', { endpoint: ep, hold: '1h', bake: '0s' }))).toBe(0);
  });
});

it('leaves no trace in manifests without either, so that their hashes stay', () => {
  const { manifest } = compile({ ep });
  expect(manifest).not.toHaveProperty('experiments');
  expect(manifest).not.toHaveProperty('rollouts');
});

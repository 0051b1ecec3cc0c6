import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../src/core/index.ts';
import { checkManifest, resolveService } from '../../src/definitions/index.ts';
import {
  count,
  countDistinct,
  endpoint,
  entity,
  featureService,
  featureView,
  first,
  grid,
  last,
  lastN,
  latest,
  max,
  mean,
  min,
  model,
  onDemandView,
  parquet,
  pipeline,
  pushed,
  python,
  range,
  registerModel,
  stddev,
  sum,
  t,
  task,
  trainingSet,
  variance,
} from '../../src/index.ts';
import { compile, airport, flights, delays, view } from '../support/written-definitions.ts';

describe('the manifest', () => {
  it('gives every aggregation its result type and its default hop', () => {
    const v = featureView('v', {
      entity: airport,
      source: flights,
      keys: { airport: 'origin' },
      features: {
        a: latest('tags'),
        b: count().over('5m'),
        c: sum('seats').over('12h'),
        d: sum('miles').over('13h'),
        e: sum('distance').over('12d'),
        f: mean('seats').over('13d'),
        g: min('at').over('1d'),
        h: max('origin').over('1d'),
        i: stddev('seats').over('1d'),
        j: variance('delay').over('1d'),
        k: first('seats').over('1d'),
        l: last('tags').over('1d'),
        m: lastN('delay', 3).over('1d'),
        n: countDistinct('origin').over('1d', { hop: '10m' }),
      },
    });
    const { features } = compile({ v }).manifest.views['v'] ?? { features: [] };
    const minute = 60_000_000;
    expect(
      features.map(({ name, type, aggregation }) => [
        name,
        type.kind,
        'hopMicros' in aggregation ? aggregation.hopMicros / minute : null,
      ]),
    ).toEqual([
      ['a', 'list', null],
      ['b', 'int64', 5],
      ['c', 'int64', 5],
      ['d', 'int64', 60],
      ['e', 'float64', 60],
      ['f', 'float64', 1440],
      ['g', 'timestamp', 60],
      ['h', 'string', 60],
      ['i', 'float64', 60],
      ['j', 'float64', 60],
      ['k', 'int32', 60],
      ['l', 'list', 60],
      ['m', 'list', 60],
      ['n', 'int64', 10],
    ]);
    expect(features[12]?.type).toEqual({ kind: 'list', of: { kind: 'float64' } });
  });

  it('fills in what users leave out', () => {
    const events = pushed('events', {
      columns: { airport: t.string(), at: t.timestamp() },
      eventTime: 'at',
      knownTime: { after: '5m' },
    });
    const v = featureView('v', {
      entity: airport,
      source: events,
      features: { n: count().over('1d') },
      freshness: { every: '1h' },
    });
    const svc = featureService('svc', [v]);
    const m = model('m', { features: svc, outputs: { p: t.float32() } });
    const { manifest } = compile({ e: endpoint('e', { model: m }), flights });
    expect(manifest.sources['events']).toMatchObject({
      pushes: 'keep',
      knownTime: { kind: 'after', micros: 300_000_000 },
      location: {},
    });
    expect(manifest.sources['flights']).toMatchObject({
      pushes: 'until-materialized',
      knownTime: { kind: 'column', column: 'at' },
    });
    expect(manifest.views['v']).toMatchObject({
      keyColumns: ['airport'],
      ttlMicros: null,
      freshness: { kind: 'scheduled', everyMicros: 3_600_000_000, lagMicros: 0 },
    });
    expect(manifest.endpoints['e']).toEqual({ name: 'e', model: 'm', unit: [], whenStoreDown: 'fail' });
    expect(manifest.models['m']?.providers).toEqual(['cpu']);
    const rules = [{ when: { airport: { $in: ['ATL'] } }, variant: 'stable' }];
    const holdout = { name: 'held', percent: 2.5 };
    const careful = endpoint('careful', { model: m, unit: ['airport'], rules, holdout, cache: { ttl: '10s' } });
    const whole = compile({ careful, flights }).manifest;
    expect(whole.endpoints['careful']).toMatchObject({
      unit: ['airport'],
      rules,
      holdout,
      cache: { ttlMicros: 10_000_000, maxBytes: 16 * 2 ** 20, maxEntries: 100_000 },
    });
    checkManifest(whole);
  });

  it('depends on neither the order of exports nor their names', () => {
    const o = onDemandView('o', {
      inputs: { r: { x: t.float64() }, v: delays },
      features: { y: t.float64() },
      transform: ({ r }) => ({ y: r.x }),
    });
    const objects = { o, delays, flights, airport, svc: featureService('svc', [delays, o]) };
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
        o: onDemandView('o', { inputs: { r: { x: t.float64() } }, features: { y: t.float64() }, transform }),
        v: view('v', { features: { n: count().over(window) }, description }),
      }).hash;
    const base = hash(({ r }) => ({ y: r.x }));
    expect(hash(({ r }) => ({ y: r.x }))).toBe(base);
    expect(
      new Set([
        base,
        hash(({ r }) => ({ y: r.x ?? 0 })),
        hash(({ r }) => ({ y: r.x }), '2d'),
        hash(({ r }) => ({ y: r.x }), '1d', 'e'),
      ]).size,
    ).toBe(4);
  });

  it('survives JSON unchanged, big defaults included', () => {
    const big = entity('big', { keys: { id: t.int64() } });
    const s = parquet('s', {
      path: 'x',
      columns: { id: t.int64(), n: t.int64(), at: t.timestamp(), raw: t.bytes(), v: t.vector(2) },
      eventTime: 'at',
    });
    const v = featureView('v', {
      entity: big,
      source: s,
      features: {
        a: latest('n').default(2n ** 60n),
        b: latest('n').default(7n),
        c: latest('at').default(new Date(0)),
        d: latest('raw').default(Uint8Array.of(1)),
        e: latest('v').default([1, 2]),
      },
    });
    const { manifest, hash } = compile({ v });
    const back = parseJson(stringifyJson(manifest));
    checkManifest(back);
    expect(back).toEqual(manifest);
    expect(manifest.views['v']?.features.map((feature) => feature.default)).toEqual([
      2n ** 60n,
      7,
      '1970-01-01T00:00:00Z',
      'AQ==',
      [1, 2],
    ]);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is refused by its schema when it was tampered with', () => {
    const { manifest } = compile({ delays });
    expect(() => checkManifest({ ...manifest, extra: 1 })).toThrow(/schema/);
    expect(() => checkManifest({ ...manifest, format: 2 })).toThrow(/schema/);
  });

  it('holds the functions that it names', () => {
    const o = onDemandView('o', {
      inputs: { r: { x: t.float64() } },
      features: { y: t.float64() },
      transform: ({ r }) => ({ y: r.x }),
    });
    const p = pipeline('p');
    p.step(
      's',
      task(() => 1),
    );
    const { functions } = compile({ o, flights, p });
    expect([...functions.keys()].sort()).toEqual(['onDemand/o', 'pipeline/p/s', 'source/flights/derive/is_late']);
  });

  it('holds services with roles, picks and nested on-demand views', () => {
    const inner = onDemandView('inner', {
      inputs: { r: { x: t.float64() } },
      features: { y: t.float64() },
      transform: ({ r }) => ({ y: r.x }),
    });
    const outer = onDemandView('outer', {
      inputs: { inner, o: delays.as('o', { airport: 'from' }) },
      features: { z: t.float64() },
      transform: ({ inner: i }) => ({ z: i.y }),
    });
    const svc = featureService('svc', [
      delays.as('a', { airport: 'from' }).pick('n'),
      delays.as('b', { airport: 'to' }),
      outer.as('out'),
    ]);
    const resolved = resolveService(compile({ svc }).manifest, 'svc');
    expect(resolved.features.map((feature) => feature.name)).toEqual(['a__n', 'b__d', 'b__n', 'out__z']);
    expect(resolved.requestColumns.map((column) => column.name)).toEqual(['from', 'to', 'x']);
    expect(() => resolveService(compile({ svc }).manifest, 'constructor')).toThrow(/no feature service "constructor"/);
  });

  it('holds pipelines with every kind of step and foreach', () => {
    const svc = featureService('svc', [delays]);
    const m = model('m', { features: svc, outputs: { p: t.float32() } });
    const p = pipeline('p', {
      schedule: '0 3 * * *',
      timezone: 'Europe/Berlin',
      params: { seed: t.int32().default(7) },
    });
    const data = p.step('data', trainingSet({ service: svc, spine: 's.parquet', label: 'late' }));
    const fit = p.step('fit', python('fit.py', { requirements: 'r.txt', args: { a: 1 } }), {
      needs: { data },
      foreach: grid({ a: [1, 2] }),
      retry: 2,
      timeout: '30m',
      resources: { cpu: 2, memory: '4Gi' },
    });
    p.step('each', python('x.py'), { foreach: fit, needs: { scores: fit } });
    p.step('items', python('x.py'), { foreach: [1, 2] });
    p.step('range', python('x.py'), { foreach: range(2, 5) });
    p.step('register', registerModel(m, { alias: 'champion' }), { needs: { fit } });
    const { steps } = compile({ p }).manifest.pipelines['p'] ?? { steps: [] };
    expect(steps[0]?.action).toEqual({
      kind: 'trainingSet',
      service: 'svc',
      spine: 's.parquet',
      labels: ['late'],
      boundary: 'at',
    });
    expect(steps[1]).toMatchObject({
      needs: { data: 'data' },
      foreach: { kind: 'grid', axes: { a: [1, 2] } },
      retry: 2,
      timeoutMicros: 1_800_000_000,
      resources: { cpu: 2, memory: '4Gi' },
    });
    expect(steps[2]).toMatchObject({ needs: { scores: 'fit' }, foreach: { kind: 'result', of: 'fit' } });
    expect(steps.slice(3).map((step) => step.foreach)).toEqual([
      { kind: 'items', items: [1, 2] },
      { kind: 'range', start: 2, end: 5 },
      undefined,
    ]);
  });
});

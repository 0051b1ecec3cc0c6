import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadraceError, parseJson, stringifyJson } from '../../src/core/index.ts';
import { checkManifest, compileDefinitions, type Definitions, resolveService } from '../../src/definitions/index.ts';
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
  postgres,
  pushed,
  python,
  range,
  registerModel,
  sql,
  stddev,
  sum,
  t,
  task,
  trainingSet,
  variance,
} from '../../src/index.ts';

function compile(
  objects: Readonly<Record<string, unknown>>,
  order: (names: string[]) => string[] = (names) => names,
): Definitions {
  const exports = order(Object.keys(objects)).map((name) => ({ file: 'features.ts', name, value: objects[name] }));
  return compileDefinitions(exports, { project: 'flights', directory: '/repo' });
}

/** The mistakes of definitions, as `object: message`. */
function mistakesOf(objects: Readonly<Record<string, unknown>>): string[] {
  try {
    compile(objects);
  } catch (error) {
    expect(error).toBeInstanceOf(HeadraceError);
    expect(error).toMatchObject({ code: 'HR_DEFINITION' });
    return (error as HeadraceError).details.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

const airport = entity('airport', { keys: { airport: t.string() } });
const flights = parquet('flights', {
  path: 'flights.parquet',
  columns: {
    origin: t.string(),
    seats: t.int32(),
    miles: t.int64(),
    delay: t.float64(),
    distance: t.float32(),
    at: t.timestamp(),
    tags: t.list(t.string()),
  },
  derive: {
    is_late: [t.float64(), (row) => (row.delay == null ? null : row.delay > 15 ? 1 : 0)],
    bucket: [t.int32(), sql`CAST(distance / 250 AS INTEGER)`],
  },
  eventTime: 'at',
});
const delays = featureView('delays', {
  entity: airport,
  source: flights,
  keys: { airport: 'origin' },
  features: { d: latest('delay'), n: count().over('1d') },
});
// Plain JavaScript users have no compiler: these check what it would have refused.
// oxlint-disable-next-line typescript/no-explicit-any
type Untyped = any;
const loose = {
  featureView,
  onDemandView,
  featureService,
  parquet,
  postgres,
  endpoint,
  model,
  entity,
  pipeline,
} as Record<string, Untyped>;
const view = (name: string, more: object): unknown =>
  loose['featureView'](name, {
    entity: airport,
    source: flights,
    keys: { airport: 'origin' },
    features: { d: latest('delay') },
    ...more,
  });

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
    expect(manifest.endpoints['e']).toMatchObject({ unit: ['airport'], whenStoreDown: 'fail' });
    expect(manifest.models['m']?.providers).toEqual(['cpu']);
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

describe('mistakes', () => {
  const cases: Readonly<Record<string, readonly [Readonly<Record<string, unknown>>, ...(string | RegExp)[]]>> = {
    'a duplicate name': [{ delays, other: view('delays', {}) }, /feature view "delays": the name is already taken/],
    'one name for a stored and an on-demand view': [
      {
        delays,
        o: onDemandView('delays', {
          inputs: { r: { x: t.bool() } },
          features: { y: t.bool() },
          transform: ({ r }) => ({ y: r.x }),
        }),
      },
      /already taken by a feature view/,
    ],
    'an unknown column': [
      { v: view('v', { features: { a: latest('dely') } }) },
      /features.ts: feature view "v": feature "a": source "flights" has no column "dely". Did you mean "delay"\?/,
    ],
    'a missing key column': [
      { v: loose['featureView']('v', { entity: airport, source: flights, features: { d: latest('delay') } }) },
      /map it with `keys: \{ airport: '<column>' \}`/,
    ],
    'an unknown key': [
      { v: view('v', { keys: { airport: 'origin', airprt: 'origin' } }) },
      /has no such key. Did you mean "airport"/,
    ],
    'a key of another type': [
      { v: view('v', { keys: { airport: 'seats' } }) },
      /entity key "airport" is string, and its column "seats" of source "flights" is int32/,
    ],
    'a key that cannot be one': [{ e: entity('e', { keys: { v: t.vector(2) } }) }, /cannot be a key/],
    'a reserved prefix': [
      { s: parquet('s', { path: 'x', columns: { at: t.timestamp(), __HR_row: t.int32() }, eventTime: 'at' }) },
      /"__HR_row" is reserved/,
    ],
    'a name with two underscores': [{ v: view('a__b', {}) }, /"__" separates/],
    'a feature with a reserved name': [
      { v: view('v', { features: { a__b: latest('delay') } }) },
      /feature "a__b": the name "a__b" is reserved/,
    ],
    'a bad identifier': [{ e: entity('my airport', { keys: { a: t.string() } }) }, /"my airport" is not a good name/],
    'a bad duration': [
      { v: view('v', { ttl: '30 days', features: { d: latest('delay'), m: mean('delay').over('1x') } }) },
      /ttl "30 days" is not a duration/,
      /window "1x" is not a duration: write it like '5m'/,
    ],
    'a window of nothing': [{ v: view('v', { features: { m: count().over('0d') } }) }, /must be longer than zero/],
    'a hop longer than its window': [
      { v: view('v', { features: { m: count().over('1h', { hop: '2h' }) } }) },
      /its hop 2h is longer than its window 1h/,
    ],
    'a window forgotten': [{ v: view('v', { features: { m: mean('delay') } }) }, /mean\(…\) needs its window/],
    'a sum of text': [
      { v: view('v', { features: { m: sum('origin').over('1d') } }) },
      /sum needs a number column, and "origin" is string/,
    ],
    'a default of another type': [
      { v: view('v', { features: { m: latest('seats').default('x') } }) },
      /the default of feature "m" must be int32, got string "x"/,
    ],
    'an event time that is no column': [
      { s: loose['parquet']('s', { path: 'x', columns: { at: t.timestamp() }, eventTime: 'att' }) },
      /eventTime names column "att".*Did you mean "at"/,
    ],
    'an event time that is no timestamp': [
      { s: loose['parquet']('s', { path: 'x', columns: { at: t.string() }, eventTime: 'at' }) },
      /eventTime must be a timestamp column, and "at" is string/,
    ],
    'a known time that is no timestamp': [
      {
        s: loose['parquet']('s', {
          path: 'x',
          columns: { at: t.timestamp(), n: t.int32() },
          eventTime: 'at',
          knownTime: 'n',
        }),
      },
      /knownTime must be a timestamp column/,
    ],
    'a derived column that hides another': [
      {
        s: parquet('s', {
          path: 'x',
          columns: { at: t.timestamp(), n: t.int32() },
          derive: { N: [t.int32(), (row) => row.n] },
          eventTime: 'at',
        }),
      },
      /derived column "N" has the name of column "n"/,
    ],
    'a database without a table': [
      { s: loose['postgres']('s', { connection: 'postgres://h/d', columns: { at: t.timestamp() }, eventTime: 'at' }) },
      /either `table` or `query`/,
    ],
    'two members of one role': [{ s: featureService('s', [delays, delays]) }, /two members have the role "delays"/],
    'full names that collide': [
      {
        s: featureService('s', [
          view('a', { features: { _b: latest('delay') } }),
          view('a_', { features: { b: latest('delay') } }),
        ] as Untyped),
      },
      /not a good name/,
    ],
    'an unknown feature in pick': [
      { s: loose['featureService']('s', [(delays as Untyped).pick('m')]) },
      /view "delays" has no feature "m"/,
    ],
    'a missing key in as': [
      { s: loose['featureService']('s', [(delays as Untyped).as('r', {})]) },
      /no request column for key "airport"/,
    ],
    'a request column of two types': [
      {
        s: featureService('s', [
          delays,
          onDemandView('o', {
            inputs: { r: { airport: t.int32() } },
            features: { y: t.int32() },
            transform: ({ r }) => ({ y: r.airport }),
          }),
        ]),
      },
      /request column "airport" is string for role "delays" and int32 for view "o"/,
    ],
    'something that is no member': [
      { s: loose['featureService']('s', [airport, 3]) },
      /member 1 must be a feature view or an on-demand view, got entity "airport"/,
      /member 2/,
    ],
    'a unit that is no request column': [
      {
        e: loose['endpoint']('e', {
          model: model('m', { features: featureService('s', [delays]), outputs: { p: t.float32() } }),
          unit: ['airprt'],
        }),
      },
      /unit names "airprt".*Did you mean "airport"/,
    ],
    'a model without outputs': [
      { m: model('m', { features: featureService('s', [delays]), outputs: {} }) },
      /it has no outputs/,
    ],
    'a model of no service': [
      { m: loose['model']('m', { features: delays, outputs: { p: t.float32() } }) },
      /features must be a feature service, got feature view "delays"/,
    ],
    'a bad schedule and time zone': [
      {
        p: (() => {
          const p = pipeline('p', { schedule: 'daily', timezone: 'Mars' });
          p.step(
            's',
            task(() => 1),
          );
          return p;
        })(),
      },
      /no cron expression/,
      /timezone "Mars" is not known/,
    ],
    'a step of another pipeline': [
      {
        p: (() => {
          const other = pipeline('q').step(
            'a',
            task(() => 1),
          );
          const p = pipeline('p');
          p.step(
            'b',
            task(() => 1),
            { needs: { other } },
          );
          return p;
        })(),
      },
      /step "b" needs "a", which is no step of this pipeline/,
    ],
    'a need that stands where foreach puts its own': [
      {
        p: (() => {
          const p = pipeline('p');
          const a = p.step(
            'a',
            task(() => [1]),
          );
          const b = p.step(
            'b',
            task(() => 1),
          );
          p.step(
            'c',
            task(() => 1),
            { needs: { a: b }, foreach: a },
          );
          return p;
        })(),
      },
      /step "c": need "a" is step "b", and foreach takes that name for step "a"\. Rename the need/,
    ],
    'a pipeline without steps': [{ p: pipeline('p') }, /it has no steps/],
    'two steps of one name': [
      {
        p: (() => {
          const p = pipeline('p');
          p.step(
            'b',
            task(() => 1),
          );
          p.step(
            'b',
            task(() => 1),
          );
          return p;
        })(),
      },
      /two steps are named "b"/,
    ],
  };

  it.each(Object.entries(cases))('name the object and the fix: %s', (_name, [objects, ...expected]) => {
    const got = mistakesOf(objects).join('\n');
    for (const part of expected) expect(got).toMatch(part);
  });

  it('come all at once, each once, in one order', () => {
    const objects = {
      a: view('v', { ttl: 'x', features: { a: latest('nope'), b: sum('origin').over('1d') } }),
      b: entity('bad name', { keys: {} }),
      c: pipeline('p'),
    };
    const got = mistakesOf(objects);
    expect(got).toHaveLength(6);
    expect(got).toEqual([...new Set(got)]);
    expect(mistakesOf({ c: objects.c, b: objects.b, a: objects.a })).toEqual(got);
  });

  it('show a cycle of on-demand views made by mutation', () => {
    const a = onDemandView('a', {
      inputs: { r: { x: t.bool() } },
      features: { y: t.bool() },
      transform: () => ({ y: true }),
    });
    const b = onDemandView('b', { inputs: { a }, features: { y: t.bool() }, transform: () => ({ y: true }) });
    (a.inputs as Record<string, unknown>)['b'] = b;
    expect(mistakesOf({ b })).toEqual([expect.stringContaining('on-demand view "a": it needs itself: a → b → a')]);
  });

  it('show a cycle of on-demand views made by a lazy input', () => {
    const inputs: Record<string, () => Untyped> = { b: () => b };
    const a: Untyped = onDemandView('a', { inputs, features: { y: t.bool() }, transform: () => ({ y: true }) });
    const b: Untyped = onDemandView('b', { inputs: { a }, features: { y: t.bool() }, transform: () => ({ y: true }) });
    expect(mistakesOf({ a })).toEqual([expect.stringContaining('a → b → a')]);
  });

  it('show a cycle of steps', () => {
    const p = pipeline('p');
    const needs: Record<string, Untyped> = {};
    const a = p.step(
      'a',
      task(() => 1),
      { needs },
    );
    needs['b'] = p.step(
      'b',
      task(() => 1),
      { needs: { a } },
    );
    expect(mistakesOf({ p })).toEqual([expect.stringContaining('a → b → a')]);
  });
});

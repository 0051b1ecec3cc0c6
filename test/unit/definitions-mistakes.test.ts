import { describe, expect, it } from 'vitest';
import {
  count,
  entity,
  featureService,
  latest,
  mean,
  model,
  onDemandView,
  parquet,
  pipeline,
  sum,
  t,
  task,
} from '../../src/index.ts';
import { mistakesOf, airport, flights, delays, loose, view, type Untyped } from '../support/written-definitions.ts';

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
    'a letter that looks like another': [
      { e: entity('\u0441ustomer', { keys: { a: t.string() } }) },
      /"\u0441ustomer" is not a good name: use a letter \(a to z, A to Z\).*underscores; its "\u0441" is U\+0441$/,
    ],
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
      { s: loose['postgres']('s', { connection: 'env:S_URL', columns: { at: t.timestamp() }, eventTime: 'at' }) },
      /either `table` or `query`/,
    ],
    'a query in the place of a table': [
      {
        s: loose['postgres']('s', {
          connection: 'env:S_URL',
          table: 'select * from orders',
          columns: { at: t.timestamp() },
          eventTime: 'at',
        }),
      },
      /`table` "select \* from orders" is no name of a table.*A SELECT goes into `query`/,
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
      /step "b" needs "a", which is no step or group of this pipeline/,
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

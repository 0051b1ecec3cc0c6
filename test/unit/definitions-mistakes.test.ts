// Mistakes together: their order, and circles. What each says is held by `definitions-mistakes-page.test.ts`.

import { describe, expect, it } from 'vitest';
import { count, entity, latest, onDemandView, parquet, pipeline, sum, t, task } from '../../src/index.ts';
import { delays, loose, mistakesOf, type Untyped, view } from '../support/written-definitions.ts';

describe('mistakes', () => {
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

// One mistake is one message: what refers to something by its name is not at fault for what is wrong with it.
const serving = (...members: readonly unknown[]) => ({ s: loose['featureService']('s', members) });
const viewed = (more: object, name = 'v'): Untyped => view(name, more);
const source = (more: object): Untyped =>
  loose['parquet']('s', { path: 'x', columns: { airport: t.string(), at: t.timestamp() }, eventTime: 'at', ...more });
const made = { inputs: { r: { x: t.bool() } }, transform: () => ({ y: true, z: true }) };
const onDemand: Untyped = loose['onDemandView']('o', { ...made, features: { y: t.bool, z: t.bool() } });
const overSource = (more: object, features: object) => ({ v: view('v', { source: source(more), keys: {}, features }) });
const n = count().over('1d');
const untypedKey = { entity: loose['entity']('place', { keys: { place: t.string } }), keys: { place: 'origin' } };
const weights = { path: 'y', columns: { origin: t.string(), weight: t.int32(), at: t.timestamp() }, eventTime: 'at' };
const heavy = { source: parquet('flights', weights as Untyped), features: { w: latest('weight') } };
const field = { entity: entity('airport', { keys: { field: t.string() } }), keys: { field: 'origin' } };

describe('one mistake', () => {
  it.each<[what: string, objects: Readonly<Record<string, unknown>>, RegExp]>([
    [
      'a feature of an unknown column, picked by a service',
      serving(viewed({ features: { d: latest('dely'), n } }).pick('d', 'n')),
      /feature "d": source "flights" has no column "dely"/,
    ],
    [
      'a feature without its window, picked in a role',
      serving(
        viewed({ features: { d: latest('delay'), n: count() } })
          .as('r', { airport: 'a' })
          .pick('n'),
      ),
      /feature "n": count\(…\) needs its window/,
    ],
    ['an on-demand feature without a type, picked', serving(onDemand.pick('y')), /"y" has no type: it got a function/],
    [
      'a column without a type, read by everything',
      overSource(
        { columns: { airport: t.string, at: t.timestamp() }, createdOrder: 'airport' },
        { last: latest('airport') },
      ),
      /column "airport" has no type/,
    ],
    [
      'an event time without a type',
      { s: source({ columns: { id: t.string(), at: t.timestamp } }) },
      /column "at" has no type/,
    ],
    [
      'a derived column without a function, aggregated',
      overSource({ derive: { late: [t.float64()] } }, { late_1d: sum('late').over('1d') }),
      /derived column "late" must be \[type, \(row\) => value\]/,
    ],
    [
      'a key without a type, mapped by a view and a service',
      serving(viewed(untypedKey).as('r', { place: 'origin' })),
      /key "place" has no type/,
    ],
    ['a source of a name that is taken', { delays, v: viewed(heavy) }, /source "flights": .* taken by another source/],
    ['an entity of a name that is taken', { delays, v: viewed(field) }, /entity "airport": .* taken by another entity/],
    [
      'a view of a name that is taken, in one service with the other',
      serving(
        delays,
        viewed({ features: { other: latest('delay') } }, 'delays')
          .as('r', { airport: 'a' })
          .pick('other'),
      ),
      /feature view "delays": the name is already taken by another feature view/,
    ],
  ])('is told once: %s', (_name, objects, expected) => {
    expect(mistakesOf(objects)).toEqual([expect.stringMatching(expected)]);
  });

  it('hides no other: what is nowhere declared is told', () => {
    const picked = viewed({ features: { d: latest('dely'), n } }).pick('e');
    expect(mistakesOf(serving(picked))).toEqual([
      expect.stringContaining('view "v" has no feature "e"'),
      expect.stringContaining('no column "dely"'),
    ]);
  });
});

// One mistake is one message: what refers to something by its name is not at fault for what is wrong with it.

import { describe, expect, it } from 'vitest';
import { count, entity, latest, parquet, sum, t } from '../../src/index.ts';
import { airport, delays, flights, loose, mistakesOf, type Untyped, view } from '../support/written-definitions.ts';

/** A mistake, and what refers to it by its name: one message. */
const followed: Readonly<Record<string, readonly [Readonly<Record<string, unknown>>, RegExp]>> = {
  'a feature of an unknown column, picked by a service': [
    {
      s: loose['featureService']('s', [
        (view('v', { features: { d: latest('dely'), n: count().over('1d') } }) as Untyped).pick('d', 'n'),
      ]),
    },
    /feature "d": source "flights" has no column "dely"/,
  ],
  'a feature without its window, picked in a role': [
    {
      s: loose['featureService']('s', [
        (view('v', { features: { d: latest('delay'), n: count() } }) as Untyped).as('r', { airport: 'a' }).pick('n'),
      ]),
    },
    /feature "n": count\(…\) needs its window/,
  ],
  'an on-demand feature without a type, picked by a service': [
    {
      s: loose['featureService']('s', [
        loose['onDemandView']('o', {
          inputs: { r: { x: t.bool() } },
          features: { y: t.bool, z: t.bool() },
          transform: () => ({ y: true, z: true }),
        }).pick('y'),
      ]),
    },
    /feature "y" has no type: it got a function/,
  ],
  'a column without a type, read by everything': [
    {
      v: loose['featureView']('v', {
        entity: airport,
        source: loose['parquet']('s', {
          path: 'x',
          columns: { airport: t.string, at: t.timestamp() },
          eventTime: 'at',
          createdOrder: 'airport',
        }),
        features: { last: latest('airport') },
      }),
    },
    /column "airport" has no type/,
  ],
  'an event time without a type': [
    { s: loose['parquet']('s', { path: 'x', columns: { id: t.string(), at: t.timestamp }, eventTime: 'at' }) },
    /column "at" has no type/,
  ],
  'a derived column without a function, aggregated': [
    {
      v: loose['featureView']('v', {
        entity: airport,
        source: loose['parquet']('s', {
          path: 'x',
          columns: { airport: t.string(), at: t.timestamp() },
          derive: { late: [t.float64()] },
          eventTime: 'at',
        }),
        features: { late_1d: sum('late').over('1d') },
      }),
    },
    /derived column "late" must be \[type, \(row\) => value\]/,
  ],
  'a key without a type, mapped by a view and a service': [
    {
      s: loose['featureService']('s', [
        loose['featureView']('v', {
          entity: loose['entity']('place', { keys: { place: t.string } }),
          source: flights,
          keys: { place: 'origin' },
          features: { d: latest('delay') },
        }).as('r', { place: 'origin' }),
      ]),
    },
    /key "place" has no type/,
  ],
  'a source of a name that is taken': [
    {
      delays,
      v: loose['featureView']('v', {
        entity: airport,
        source: parquet('flights', {
          path: 'y',
          columns: { airport: t.string(), weight: t.int32(), at: t.timestamp() },
          eventTime: 'at',
        }),
        features: { w: latest('weight') },
      }),
    },
    /source "flights": the name is already taken by another source/,
  ],
  'an entity of a name that is taken': [
    {
      delays,
      v: loose['featureView']('v', {
        entity: entity('airport', { keys: { field: t.string() } }),
        source: flights,
        keys: { field: 'origin' },
        features: { d: latest('delay') },
      }),
    },
    /entity "airport": the name is already taken by another entity/,
  ],
  'a view of a name that is taken, in one service with the other': [
    {
      s: loose['featureService']('s', [
        delays,
        (view('delays', { features: { other: latest('delay') } }) as Untyped).as('r', { airport: 'a' }).pick('other'),
      ]),
    },
    /feature view "delays": the name is already taken by another feature view/,
  ],
};

describe('one mistake', () => {
  it.each(Object.entries(followed))('is told once: %s', (_name, [objects, expected]) => {
    expect(mistakesOf(objects)).toEqual([expect.stringMatching(expected)]);
  });

  it('hides no other: what is nowhere declared is told', () => {
    const v = view('v', { features: { d: latest('dely'), n: count().over('1d') } }) as Untyped;
    expect(mistakesOf({ s: loose['featureService']('s', [v.pick('e')]) })).toEqual([
      expect.stringContaining('view "v" has no feature "e"'),
      expect.stringContaining('no column "dely"'),
    ]);
  });
});

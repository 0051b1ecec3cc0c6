// Which views Feast's clients may write to: those that are no more than the newest row of a pushed source, and its only view.

import { describe, expect, it } from 'vitest';
import type { FeatureSpec, Manifest, SourceSpec, ViewSpec } from '../../src/definitions/index.ts';
import { writtenView } from '../../src/serving/feast/written-view.ts';

const float64 = { kind: 'float64' } as const;
const latest = (name: string, column = name): FeatureSpec => ({
  name,
  type: float64,
  aggregation: { op: 'latest', column },
});
const source: SourceSpec = {
  name: 'clicks',
  kind: 'pushed',
  location: {},
  columns: ['shop', 'at', 'x', 'y'].map((name) => ({ name, type: float64 })),
  derive: [],
  eventTime: 'at',
  knownTime: { kind: 'after', micros: 0 },
  pushes: 'keep',
};
const view: ViewSpec = {
  name: 'v',
  entity: 'shop',
  source: 'clicks',
  keyColumns: ['shop'],
  ttlMicros: null,
  freshness: { kind: 'live' },
  features: [latest('x')],
};
const manifestOf = (views: readonly ViewSpec[], of = source): Manifest =>
  ({
    sources: { clicks: of, other: { ...source, name: 'other' } },
    entities: { shop: { name: 'shop', keys: [{ name: 'shop', type: float64 }] } },
    views: Object.fromEntries(views.map((one) => [one.name, one])),
  }) as unknown as Manifest; // as much of it as is looked at

const DF = { shop: [1], at: [0], x: [2] };
const mistakeOf = (...given: Parameters<typeof writtenView>): string => {
  try {
    writtenView(...given);
    return '';
  } catch (thrown) {
    return (thrown as Error).message;
  }
};

describe('a view is written to', () => {
  it('where it is the newest row of a source that no other view is of', () => {
    const elsewhere = { ...view, name: 'w', source: 'other' };
    expect(writtenView(manifestOf([view, elsewhere]), 'v', DF)).toMatchObject({ source: 'clicks', rows: [{ x: 2 }] });
  });

  it('by the names of its features too, where those are columns under other names', () => {
    const renamed = { ...view, features: [latest('price', 'x')] };
    const df = { shop: [1], at: [0], price: [2] };
    expect(writtenView(manifestOf([renamed]), 'v', df).rows).toMatchObject([{ x: 2 }]);
  });
});

describe('a view is not written to', () => {
  it.each<[string, ViewSpec, RegExp]>([
    ['whose features are one column twice', { ...view, features: [latest('a', 'x'), latest('b', 'x')] }, /column "x"/],
    ['that has a derived column', { ...view, features: [latest('z')] }, /"z" is derived/],
    [
      'that is computed from all events',
      {
        ...view,
        features: [{ ...latest('n'), aggregation: { op: 'count', windowMicros: 1, hopMicros: 1 } } as FeatureSpec],
      },
      /"n" is computed from all events/,
    ],
  ])('%s', (_, given, told) => {
    expect(mistakeOf(manifestOf([given]), 'v', DF)).toMatch(told);
  });

  it('whose source is another view’s too, or is not pushed, or that is not there', () => {
    const manifest = manifestOf([view, { ...view, name: 'w' }]);
    expect(mistakeOf(manifest, 'v', DF)).toContain('view "w" is computed from source "clicks", too');
    expect(mistakeOf(manifest, 'w', DF)).toContain('view "v" is computed from source "clicks", too');
    expect(mistakeOf(manifestOf([view], { ...source, kind: 'parquet' }), 'v', DF)).toContain('is not pushed');
    expect(mistakeOf(manifest, 'toString', DF)).toContain('toString');
  });
});

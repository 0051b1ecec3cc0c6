// A view's version: the same for as long as its values mean the same, another as soon as they do not.

import { describe, expect, it } from 'vitest';
import { count, entity, featureView, latest, mean, parquet, pushed, sql, t } from '../../src/index.ts';
import { versionNamed, viewVersion, type ViewSpec } from '../../src/definitions/index.ts';
import { compile } from '../support/written-definitions.ts';

interface Change {
  readonly delay?: ReturnType<typeof t.float64> | ReturnType<typeof t.float32>;
  readonly columns?: Record<string, ReturnType<typeof t.string>>;
  readonly path?: string;
  readonly pushes?: 'keep' | 'until-materialized';
  readonly knownTime?: { readonly after: string };
  readonly late?: (row: { readonly delay: number | null }) => number | null;
  readonly miles?: string;
  readonly keys?: Record<string, ReturnType<typeof t.string>>;
  readonly features?: Record<string, unknown>;
  readonly ttl?: string;
  readonly freshness?: 'live' | { readonly every: string };
  readonly about?: { readonly description: string };
}

const late = (row: { readonly delay: number | null }) => (row.delay === null ? null : 1);
const FEATURES = { last: latest('delay'), mean_7d: mean('delay').over('7d'), late_7d: mean('is_late').over('7d') };

function version(change: Change = {}): string {
  const source = parquet('flights', {
    path: change.path ?? 'data/*.parquet',
    columns: {
      origin: t.string(),
      delay: change.delay ?? t.float64(),
      at: t.timestamp(),
      ...change.columns,
    },
    derive: {
      is_late: [t.float64(), change.late ?? late],
      miles: [t.int32(), sql`${change.miles ?? '1'}`],
    },
    eventTime: 'at',
    ...(change.knownTime === undefined ? {} : { knownTime: change.knownTime }),
    ...(change.pushes === undefined ? {} : { pushes: change.pushes }),
  } as never);
  const airport = entity('airport', { keys: change.keys ?? { airport: t.string() } });
  const [key] = Object.keys(change.keys ?? { airport: 1 });
  const view = featureView('delays', {
    entity: airport,
    source,
    keys: { [key as string]: 'origin' },
    ttl: change.ttl ?? '30d',
    features: change.features ?? FEATURES,
    ...(change.freshness === undefined ? {} : { freshness: change.freshness }),
    ...change.about,
  } as never);
  return viewVersion(compile({ view }).manifest, 'delays');
}

describe('a view keeps its version', () => {
  const before = version();
  it.each<[string, Change]>([
    [
      'its features are reordered or renamed',
      { features: { first: FEATURES.late_7d, second: FEATURES.mean_7d, third: FEATURES.last } },
    ],
    ['two of its features are the same', { features: { ...FEATURES, again: mean('delay').over('7d') } }],
    ['its entity’s keys are renamed', { keys: { port: t.string() } }],
    ['its files lie elsewhere', { path: 's3://bucket/flights/*.parquet' }],
    ['another column that it does not use is derived otherwise', { miles: '2' }],
    ['what people write about it changes', { about: { description: 'Delays' } }],
  ])('where %s', (_, change) => {
    expect(version(change)).toBe(before);
  });

  it('where its time to live changes and bounds none of its features', () => {
    const features = { mean_7d: FEATURES.mean_7d };
    expect(version({ features, ttl: '60d' })).toBe(version({ features }));
  });
});

describe('a view has another version', () => {
  const before = version();
  it.each<[string, Change]>([
    ['a feature is added', { features: { ...FEATURES, flights: count().over('1d') } }],
    ['a feature is removed', { features: { last: FEATURES.last, mean_7d: FEATURES.mean_7d } }],
    ['a window changes', { features: { ...FEATURES, mean_7d: mean('delay').over('14d') } }],
    ['a hop changes', { features: { ...FEATURES, mean_7d: mean('delay').over('7d', { hop: '2h' }) } }],
    ['a column’s type changes', { delay: t.float32() }],
    ['a derive function changes', { late: (row) => (row.delay === null ? null : 2) }],
    ['its time to live changes', { ttl: '60d' }],
    ['what counts as known changes', { knownTime: { after: '5m' } }],
    ['pushes come to count otherwise', { pushes: 'keep' }],
    ['it is refreshed by runs', { freshness: { every: '1h' } }],
  ])('where %s', (_, change) => {
    expect(version(change)).not.toBe(before);
  });

  it('where its events come by push alone', () => {
    const options = { columns: { k: t.string(), n: t.float64(), at: t.timestamp() }, eventTime: 'at' } as const;
    const thing = entity('thing', { keys: { k: t.string() } });
    const of = (source: ReturnType<typeof pushed>) =>
      viewVersion(
        compile({ view: featureView('v', { entity: thing, source, features: { n: latest('n') } } as never) }).manifest,
        'v',
      );
    expect(of(pushed('s', options) as never)).not.toBe(
      of(parquet('s', { ...options, path: 'x', pushes: 'keep' }) as never),
    );
  });
});

describe('a version by its name', () => {
  const { views, ...rest } = compile({
    view: featureView('late', {
      entity: entity('e', { keys: { id: t.string() } }),
      source: parquet('s', { path: 'x', columns: { id: t.string(), at: t.timestamp() }, eventTime: 'at' }),
      features: { last: latest('at') },
    }),
  }).manifest;
  const late = views['late'] as ViewSpec;
  // A view that was renamed, and a new one of its former name.
  const manifest = {
    ...rest,
    views: { lateness: { ...late, name: 'lateness', storedAs: 'late' }, late: { ...late, storedAs: 'late__2' } },
  };

  it.each([
    ['lateness@0', 'late@0'],
    ['late@1', 'late__2@1'],
    ['gone@0', 'gone@0'],
    ['late@0', 'late@0'],
  ])('%s is stored as %s', (name, stored) => {
    expect(versionNamed(manifest, name, ['late@0', 'late__2@1'])).toBe(stored);
  });
});

// A kept version as it is read today: by what is applied where that means the same, else by its own definitions, with its
// source where it lies by now.

import { describe, expect, it } from 'vitest';
import * as defs from '../../src/definitions/index.ts';
import { count, csv, entity, featureView, latest, mean, parquet, pushed, sql, sum, t } from '../../src/index.ts';
import { plan } from '../support/plans.ts';
import { compile } from '../support/written-definitions.ts';

type Kind = typeof csv | typeof parquet | typeof pushed;

function rides(kind: Kind, place: object, more: object = {}, name = 'work'): defs.Definitions {
  const columns = { driver: t.string(), amount: t.float64(), at: t.timestamp() };
  const source = kind('rides', { ...place, columns, eventTime: 'at' } as never);
  const features = { n_7d: count().over('7d'), ...more };
  const driver = entity('driver', { keys: { driver: t.string() } });
  return compile({ view: featureView(name, { entity: driver, source, features } as never) });
}

const OTHER = { amount_7d: sum('amount').over('7d') };
const first = rides(csv, { path: 'old/*.csv' }, OTHER);
const [registered] = defs.versionsOf(first);
const placedBy = (applied: defs.Definitions, by = first) =>
  defs.placedVersion({ ...registered, definitions: by } as never, applied);
const sourceOf = ({ definitions }: { readonly definitions: defs.Definitions }) =>
  definitions.manifest.sources['rides'] as defs.SourceSpec;

/** With a query, which no source of this build can be read by. */
function asked(definitions: defs.Definitions, location: Readonly<Record<string, string>>): defs.Definitions {
  const { manifest } = definitions;
  const source: defs.SourceSpec = { ...sourceOf({ definitions }), kind: 'postgres', location };
  return { ...definitions, manifest: { ...manifest, sources: { rides: source } } };
}

describe('a kept version', () => {
  it('that is applied is read by what is applied, under the name of today', () => {
    const moved = rides(parquet, { path: 'new/*.parquet', completeAfter: '1h' }, OTHER);
    expect(placedBy(moved)).toMatchObject({ view: 'work', definitions: moved, isCurrent: true });
  });

  it('that is not is read by its own definitions, from where its source lies by now', () => {
    const placed = placedBy(rides(parquet, { path: 'new/*.parquet', completeAfter: '1h' }));
    expect(placed.isCurrent).toBe(false);
    const { kind, location, completeAfterMicros } = sourceOf(placed);
    const expected = { kind: 'parquet', location: { path: 'new/*.parquet' }, completeAfterMicros: 3_600_000_000 };
    expect({ kind, location, completeAfterMicros }).toEqual(expected);
    const view = placed.definitions.manifest.views['work'];
    expect(view).toEqual(first.manifest.views['work']);
    expect(defs.viewVersion(placed.definitions.manifest, 'work')).toBe(registered?.version);
  });

  it('is placed once, so that what is compiled from it stays', () => {
    const applied = rides(csv, { path: 'new/*.csv' });
    expect(placedBy(applied).definitions).toBe(placedBy(applied).definitions);
    expect(placedBy(rides(csv, { path: 'old/*.csv' })).definitions).toBe(first);
  });

  it('keeps its place where the source of that name has other facts, or is gone', () => {
    expect(placedBy(rides(pushed, {})).definitions).toBe(first);
    expect(placedBy(compile({})).definitions).toBe(first);
  });

  it('keeps its query, which says what its facts are, and asks it where the source is by now', () => {
    const applied = rides(csv, { path: 'old/*.csv' });
    const own = asked(first, { connection: 'env:OLD', query: 'FROM rides' });
    expect(defs.viewVersion(own.manifest, 'work')).not.toBe(registered?.version);
    const now = asked(applied, { connection: 'env:NEW', table: 'all_rides' });
    expect(sourceOf(placedBy(now, own)).location).toEqual({ connection: 'env:NEW', query: 'FROM rides' });
    expect(placedBy(applied, own).definitions).toBe(own);
    // Nor does one without take up a query.
    const paid = asked(applied, { connection: 'env:NEW', query: 'FROM rides WHERE paid' });
    expect(placedBy(paid).definitions).toBe(first);
  });
});

// A view's version: the same for as long as its values mean the same, another as soon as they do not.
type Row = { readonly delay: number | null };
const [last, mean_7d, late_7d] = [latest('delay'), mean('delay').over('7d'), mean('is_late').over('7d')];
const FEATURES = { last, mean_7d, late_7d };
const columns = { origin: t.string(), delay: t.float64(), at: t.timestamp() };
const derived = (late: number, miles: string) => ({
  derive: { is_late: [t.float64(), lateBy(late)], miles: [t.int32(), sql`${miles}`] },
});
/** Functions of different text. */
const lateBy = (late: number) =>
  late === 1 ? (row: Row) => (row.delay === null ? null : 1) : (row: Row) => (row.delay === null ? null : 2);

interface Change {
  readonly source?: object;
  readonly view?: object;
  readonly key?: string;
}

function version({ source, view, key = 'airport' }: Change = {}): string {
  const from = { path: 'data/*.parquet', columns, ...derived(1, '1'), eventTime: 'at', ...source };
  const over = { source: parquet('flights', from as never), keys: { [key]: 'origin' }, ttl: '30d', features: FEATURES };
  const made = { entity: entity('airport', { keys: { [key]: t.string() } }), ...over, ...view };
  return defs.viewVersion(compile({ view: featureView('delays', made as never) }).manifest, 'delays');
}

describe('a view', () => {
  const before = version();
  it.each<[string, Change]>([
    ['its features are reordered or renamed', { view: { features: { first: late_7d, second: mean_7d, third: last } } }],
    ['two of its features are the same', { view: { features: { ...FEATURES, again: mean('delay').over('7d') } } }],
    ['its entity’s keys are renamed', { key: 'port' }],
    ['its files lie elsewhere', { source: { path: 's3://bucket/flights/*.parquet' } }],
    ['another column that it does not use is derived otherwise', { source: derived(1, '2') }],
    ['what people write about it changes', { view: { description: 'Delays' } }],
  ])('keeps its version where %s', (_, change) => {
    expect(version(change)).toBe(before);
  });

  it('keeps it where its time to live changes and bounds none of its features', () => {
    const features = { mean_7d };
    expect(version({ view: { features, ttl: '60d' } })).toBe(version({ view: { features } }));
  });

  it.each<[string, Change]>([
    ['a feature is added', { view: { features: { ...FEATURES, flights: count().over('1d') } } }],
    ['a feature is removed', { view: { features: { last, mean_7d } } }],
    ['a window changes', { view: { features: { ...FEATURES, mean_7d: mean('delay').over('14d') } } }],
    ['a hop changes', { view: { features: { ...FEATURES, mean_7d: mean('delay').over('7d', { hop: '2h' }) } } }],
    ['a column’s type changes', { source: { columns: { ...columns, delay: t.float32() } } }],
    ['a derive function changes', { source: derived(2, '1') }],
    ['its time to live changes', { view: { ttl: '60d' } }],
    ['what counts as known changes', { source: { knownTime: { after: '5m' } } }],
    ['pushes come to count otherwise', { source: { pushes: 'keep' } }],
    ['it is refreshed by runs', { view: { freshness: { every: '1h' } } }],
  ])('has another version where %s', (_, change) => {
    expect(version(change)).not.toBe(before);
  });

  it('has another version where its events come by push alone', () => {
    const options = { columns: { k: t.string(), n: t.float64(), at: t.timestamp() }, eventTime: 'at' } as const;
    const thing = entity('thing', { keys: { k: t.string() } });
    const of = (source: unknown) => {
      const view = featureView('v', { entity: thing, source, features: { n: latest('n') } } as never);
      return defs.viewVersion(compile({ view }).manifest, 'v');
    };
    expect(of(pushed('s', options))).not.toBe(of(parquet('s', { ...options, path: 'x', pushes: 'keep' })));
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
  const late = views['late'] as defs.ViewSpec;
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
    expect(defs.versionNamed(manifest, name, ['late@0', 'late__2@1'])).toBe(stored);
  });
});

// When a view is materialized by itself: part of what is applied, and no part of what its values mean.
const shop = entity('shop', { keys: { shop: t.string() } });
const sales = parquet('sales', {
  path: 'sales.parquet',
  columns: { shop: t.string(), amount: t.float64(), at: t.timestamp() },
  eventTime: 'at',
});

function compiled(
  options: Pick<defs.ViewSpec, 'schedule' | 'timezone'> & { readonly catchUp?: 'latest' | 'none' },
): defs.Manifest {
  const made = { entity: shop, source: sales, features: { last: latest('amount') } } as const;
  return compile({ v: featureView('v', { ...made, ...options }) }).manifest;
}

it('is in its spec, and left out where it is as without it', () => {
  const times = { schedule: '0 3 * * *', timezone: 'Europe/Berlin', catchUp: 'none' } as const;
  expect(compiled(times).views['v']).toMatchObject(times);
  expect(compiled({ ...times, catchUp: 'latest' }).views['v']).not.toHaveProperty('catchUp');
  for (const name of ['schedule', 'timezone', 'catchUp']) expect(compiled({}).views['v']).not.toHaveProperty(name);
});

it('changes no version of the view, and is told by a plan', () => {
  const [was, is] = [compiled({}), compiled({ schedule: '0 3 * * *' })];
  expect(defs.viewVersion(is, 'v')).toBe(defs.viewVersion(was, 'v'));
  const lines = plan(was, is).changes.flatMap((change) => change.lines);
  expect(lines).toEqual([expect.objectContaining({ kind: 'about', text: 'schedule: + "0 3 * * *"' })]);
});

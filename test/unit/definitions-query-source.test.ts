// `query(…)` and `partitions`: what they compile to, what they mean for a view's version, and the mistakes in them.

import { describe, expect, it } from 'vitest';
import {
  compileDefinitions,
  entity,
  featureView,
  latest,
  parquet,
  query,
  sql,
  t,
  viewVersion,
} from '../../src/definitions/index.ts';

const options = { columns: { id: t.string(), at: t.timestamp(), x: t.float64() }, eventTime: 'at' } as const;
const orders = parquet('orders', { ...options, path: 'orders/*.parquet' });
const countries = parquet('countries', { ...options, path: 'countries.parquet' });
const compile = (...values: object[]) =>
  compileDefinitions(
    values.map((value, i) => ({ file: 'a.ts', name: `v${i}`, value })),
    { project: 'p', directory: '/' },
  ).manifest;

describe('a query source', () => {
  it('has its SQL, and brings the sources that it reads', () => {
    const sold = query('sold', { ...options, sql: 'SELECT * FROM orders', over: [orders], static: [countries] });
    const { sources } = compile(sold);
    expect(Object.keys(sources)).toEqual(['countries', 'orders', 'sold']);
    expect(sources['sold']).toMatchObject({
      kind: 'query',
      location: { query: 'SELECT * FROM orders' },
      over: [
        { source: 'orders', isStatic: false },
        { source: 'countries', isStatic: true },
      ],
      pushes: 'keep',
    });
    const tagged = query('sold', { ...options, sql: sql`SELECT 1`, over: [orders] });
    expect(compile(tagged).sources['sold']?.location).toEqual({ query: 'SELECT 1' });
  });

  it('makes another version of a view where what it reads means something else, and not where it lies elsewhere', () => {
    const thing = entity('thing', { keys: { id: t.string() } });
    const versionOf = (of: object) => {
      const source = query('sold', { ...options, sql: 'SELECT * FROM orders', over: [of as typeof orders] });
      return viewVersion(compile(featureView('v', { entity: thing, source, features: { x: latest('x') } })), 'v');
    };
    const version = versionOf(orders);
    expect(versionOf(parquet('orders', { ...options, path: 's3://elsewhere/x.parquet' }))).toBe(version);
    expect(versionOf(parquet('orders', { ...options, path: 'x', knownTime: { after: '1h' } }))).not.toBe(version);
    const columns = { ...options.columns, x: t.int32() };
    expect(versionOf(parquet('orders', { ...options, columns, path: 'x' }))).not.toBe(version);
    const expecting = (onFail: 'warn' | 'quarantine') =>
      versionOf(parquet('orders', { ...options, path: 'x', expect: { between: { x: [0, 1] }, onFail } }));
    expect(expecting('warn')).toBe(version);
    expect(expecting('quarantine')).not.toBe(version);
  });

  it.each<[object, RegExp]>([
    [{ over: [orders] }, /it needs `sql`/],
    [{ sql: ' ', over: [orders] }, /it needs `sql`/],
    [{ sql: 'SELECT 1' }, /it needs `over`/],
    [{ sql: 'SELECT 1', over: [] }, /`over` names no source/],
    [{ sql: 'SELECT 1', over: 'orders' }, /`over` must be an array of sources/],
    [{ sql: 'SELECT 1', over: [orders, 3] }, /over\[1\] must be a source, got number 3/],
    [{ sql: 'SELECT 1', over: [orders], static: [orders] }, /source "orders" is named twice/],
  ])('is refused: %o', (given, message) => {
    expect(() => compile((query as (...of: unknown[]) => object)('sold', { ...options, ...given }))).toThrow(message);
  });
});

describe('partitions', () => {
  const events = (partitions: unknown) =>
    compile(parquet('events', { ...options, path: 'x', partitions } as Parameters<typeof parquet>[1])).sources[
      'events'
    ];

  it('say what folders mean, and are no meaning', () => {
    expect(events({ dt: 'date' })).toMatchObject({ partitions: { dt: 'date' } });
    expect(events({ y: 'year', m: 'month' })).toMatchObject({ partitions: { y: 'year', m: 'month' } });
    expect(events(undefined)).not.toHaveProperty('partitions');
  });

  it.each<[unknown, RegExp]>([
    [{ dt: 'dat' }, /partition "dt" must be date, year, month, day, hour, got string "dat"\. Did you mean "date"\?/],
    [{ dt: 3 }, /partition "dt" must be/],
    ['dt', /partitions must say what folders mean/],
    [{ m: 'month' }, /must say a stretch of time/],
    [{ a: 'date', b: 'date' }, /must say a stretch of time/],
    [{ y: 'year', d: 'day' }, /must say a stretch of time/],
    [{}, /must say a stretch of time/],
  ])('are refused: %o', (given, message) => {
    expect(() => events(given)).toThrow(message);
  });
});

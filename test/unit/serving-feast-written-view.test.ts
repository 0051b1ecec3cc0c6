// Which views Feast's clients may write to: those that are no more than the newest row of a pushed source, and its only view.

import { expect, it } from 'vitest';
import { count, entity, featureView, latest, parquet, pushed, t } from '../../src/index.ts';
import { writtenView } from '../../src/serving/feast/written-view.ts';
import { compile } from '../support/written-definitions.ts';

const shop = entity('shop', { keys: { shop: t.string() } });
const columns = { shop: t.string(), x: t.float64(), y: t.float64(), at: t.timestamp() };
const clicks = pushed('clicks', { columns, eventTime: 'at', derive: { z: [t.float64(), () => 1] } });
const other = pushed('other', { columns, eventTime: 'at' });
const files = parquet('files', { path: 'files.parquet', columns, eventTime: 'at' });
const viewOf = (name: string, features: object = { x: latest('x') }, source: object = clicks) =>
  featureView(name, { entity: shop, source, features } as never);
const DF = { shop: ['a'], at: [0], x: [2] };

/** Of the first view. */
const written = (views: readonly ReturnType<typeof viewOf>[], df: object = DF, name = 'v') =>
  writtenView(compile({ shop, clicks, other, files, ...views }).manifest, name, df);

it('a view is written to where it is the newest row of a source that no other view is of', () => {
  const elsewhere = viewOf('w', undefined, other);
  expect(written([viewOf('v'), elsewhere])).toMatchObject({ source: 'clicks', rows: [{ x: 2 }] });
});

it('a view is written to by the names of its features too, where those are columns under other names', () => {
  const renamed = viewOf('v', { price: latest('x') });
  expect(written([renamed], { shop: ['a'], at: [0], price: [2] }).rows).toMatchObject([{ x: 2 }]);
});

const two = [viewOf('v'), viewOf('w')];
it.each<[string, readonly ReturnType<typeof viewOf>[], string, string]>([
  ['whose features are one column twice', [viewOf('v', { a: latest('x'), b: latest('x') })], 'v', 'column "x"'],
  ['that has a derived column', [viewOf('v', { z: latest('z') })], 'v', '"z" is derived'],
  [
    'that is computed from all events',
    [viewOf('v', { n: count().over('1d') })],
    'v',
    '"n" is computed from all events',
  ],
  ['whose source is another view’s too', two, 'v', 'view "w" is computed from source "clicks", too'],
  ['whose source was another view’s before', two, 'w', 'view "v" is computed from source "clicks", too'],
  ['whose source is not pushed', [viewOf('v', undefined, files)], 'v', 'is not pushed'],
  ['that is not there', two, 'toString', 'toString'],
])('a view is not written to %s', (_, views, name, told) => {
  expect(() => written(views, DF, name)).toThrow(told);
});

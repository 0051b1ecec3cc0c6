// A kept version as it is read today: by what is applied where that means the same, else by its own definitions, with its
// source where it lies by now.

import { describe, expect, it } from 'vitest';
import {
  type Definitions,
  placedVersion,
  type SourceSpec,
  versionsOf,
  viewVersion,
} from '../../src/definitions/index.ts';
import { count, csv, entity, featureView, parquet, pushed, sum, t } from '../../src/index.ts';
import { compile } from '../support/written-definitions.ts';

type Kind = typeof csv | typeof parquet | typeof pushed;

function rides(kind: Kind, place: object, more: object = {}, name = 'work'): Definitions {
  const columns = { driver: t.string(), amount: t.float64(), at: t.timestamp() };
  const source = kind('rides', { ...place, columns, eventTime: 'at' } as never);
  const features = { n_7d: count().over('7d'), ...more };
  const driver = entity('driver', { keys: { driver: t.string() } });
  return compile({ view: featureView(name, { entity: driver, source, features } as never) });
}

const OTHER = { amount_7d: sum('amount').over('7d') };
const first = rides(csv, { path: 'old/*.csv' }, OTHER);
const [registered] = versionsOf(first);
const placedBy = (applied: Definitions, by = first) =>
  placedVersion({ ...registered, definitions: by } as never, applied);
const sourceOf = ({ definitions }: { readonly definitions: Definitions }) =>
  definitions.manifest.sources['rides'] as SourceSpec;

/** With a query, which no source of this build can be read by. */
function asked(definitions: Definitions, location: Readonly<Record<string, string>>): Definitions {
  const { manifest } = definitions;
  const source: SourceSpec = { ...sourceOf({ definitions }), kind: 'postgres', location };
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
    expect({ kind, location, completeAfterMicros }).toEqual({
      kind: 'parquet',
      location: { path: 'new/*.parquet' },
      completeAfterMicros: 3_600_000_000,
    });
    const view = placed.definitions.manifest.views['work'];
    expect(view).toEqual(first.manifest.views['work']);
    expect(viewVersion(placed.definitions.manifest, 'work')).toBe(registered?.version);
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
    expect(viewVersion(own.manifest, 'work')).not.toBe(registered?.version);
    const now = asked(applied, { connection: 'env:NEW', table: 'all_rides' });
    expect(sourceOf(placedBy(now, own)).location).toEqual({ connection: 'env:NEW', query: 'FROM rides' });
    expect(placedBy(applied, own).definitions).toBe(own);
    // Nor does one without take up a query.
    const paid = asked(applied, { connection: 'env:NEW', query: 'FROM rides WHERE paid' });
    expect(placedBy(paid).definitions).toBe(first);
  });
});

// Plans of random edits of a repository, against what each edit is known to do: to whom it matters, and what has to be filled.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MICROS_PER_DAY, MICROS_PER_HOUR } from '../../src/core/index.ts';
import type { FeatureSpec, Manifest, ServiceSpec, SourceSpec, ViewSpec } from '../../src/definitions/index.ts';
import { type InUse, NOTHING_IN_USE } from '../../src/registry/definitions/in-use.ts';
import { makePlan } from '../../src/registry/definitions/plan.ts';
import { withStoredNames } from '../../src/registry/definitions/stored-names.ts';
import { airportDelays, flightsManifest } from '../support/manifests.ts';
import { runs } from '../support/tier.ts';

const FEATURES = ['last', 'flights', 'mean', 'late'] as const;
type Name = (typeof FEATURES)[number];

const windowed = (name: Name, op: 'count' | 'mean', column: string | null): FeatureSpec => ({
  name,
  type: { kind: op === 'count' ? 'int64' : 'float64' },
  aggregation: { op, column, windowMicros: 7 * MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR },
});
const features: readonly FeatureSpec[] = [
  { name: 'last', type: { kind: 'float64' }, aggregation: { op: 'latest', column: 'delay' } },
  windowed('flights', 'count', null),
  windowed('mean', 'mean', 'delay'),
  windowed('late', 'mean', 'is_late'),
];

function manifestOf(picked: readonly string[]): Manifest {
  const { flights } = flightsManifest.sources;
  if (flights === undefined) throw new Error('flightsManifest has the source');
  const read = { id: 'source/flights/derive/is_late', hash: 'b'.repeat(64), reads: ['delay'] };
  const by = { kind: 'function', function: read } as const;
  const derive: SourceSpec['derive'] = [{ name: 'is_late', type: { kind: 'float64' }, by }];
  const columns = [...flights.columns, { name: 'spare', type: { kind: 'string' } } as const];
  const of = { role: 'origin', view: 'airport_delays', keyColumns: ['origin'] };
  const member = { kind: 'view', ...of, features: picked } as const;
  const onDemand = { kind: 'onDemand', role: 'departure', view: 'departure', features: ['hour'] } as const;
  return {
    ...flightsManifest,
    sources: { flights: { ...flights, columns, derive } },
    views: { airport_delays: { ...airportDelays, features } },
    services: { delay_features: { name: 'delay_features', members: [member, onDemand] } },
  };
}

interface Edit {
  readonly what: string;
  readonly edit: (manifest: Manifest) => Manifest;
  /** The features whose values it changes; every one, or that on demand. */
  readonly changes: readonly (Name | 'hour')[];
  /** Whether the view has to be filled anew. */
  readonly fills: boolean;
}

/** All objects of a section, changed. */
const each =
  <K extends 'views' | 'sources' | 'onDemandViews' | 'services', T extends Manifest[K][string]>(section: K) =>
  (change: (spec: T) => object) =>
  (manifest: Manifest): Manifest => {
    const changed = Object.entries(manifest[section]).map(([name, spec]) => [name, { ...spec, ...change(spec as T) }]);
    return { ...manifest, [section]: Object.fromEntries(changed) };
  };
const view = each<'views', ViewSpec>('views');
const source = each<'sources', SourceSpec>('sources');
const feature = (name: Name, more: Partial<FeatureSpec>) =>
  view(({ features: all }) => ({ features: all.map((one) => (one.name === name ? { ...one, ...more } : one)) }));
const column = (name: string, kind: 'float32' | 'int32') =>
  source(({ columns }) => ({ columns: columns.map((one) => (one.name === name ? { ...one, type: { kind } } : one)) }));

// The same columns, each in the other's place.
const swappedTimes = source(() => ({ eventTime: 'landed_at', knownTime: { kind: 'column', column: 'departed_at' } }));
const derived = (more: object) =>
  source(({ derive }) => ({
    derive: derive.map(({ by, ...one }) =>
      by.kind === 'function' ? { ...one, by: { kind: 'function', function: { ...by.function, ...more } } } : one,
    ),
  }));
const code = derived({ hash: 'c'.repeat(64) });
const bundle = derived({ bundle: 'd'.repeat(64) });
const transform = each('onDemandViews')((spec) => ({
  transform: { ...(spec as Manifest['onDemandViews'][string]).transform, hash: 'e'.repeat(64) },
}));
const renamed = (manifest: Manifest): Manifest => {
  const { airport_delays: old, ...others } = manifest.views;
  if (old === undefined) return manifest;
  const lateness = { ...old, name: 'lateness', renamedFrom: 'airport_delays' };
  return each<'services', ServiceSpec>('services')(({ members }) => ({
    members: members.map((one) => (one.kind === 'view' ? { ...one, view: 'lateness' } : one)),
  }))({ ...manifest, views: { ...others, lateness } });
};

const shorter = { op: 'mean', column: 'delay', windowMicros: MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR } as const;
const EDITS: readonly Edit[] = [
  { what: 'ttl', edit: view(() => ({ ttlMicros: 5 })), changes: ['last'], fills: true },
  { what: 'window', edit: feature('mean', { aggregation: shorter }), changes: ['mean'], fills: true },
  { what: 'type', edit: feature('flights', { type: { kind: 'int32' } }), changes: ['flights'], fills: false },
  { what: 'default', edit: feature('late', { default: 0 }), changes: ['late'], fills: false },
  { what: 'pushes', edit: source(() => ({ pushes: 'keep' })), changes: [...FEATURES], fills: true },
  { what: 'times', edit: swappedTimes, changes: [...FEATURES], fills: true },
  { what: 'column', edit: column('delay', 'float32'), changes: ['last', 'mean', 'late'], fills: true },
  { what: 'derive', edit: code, changes: ['late'], fills: true },
  { what: 'transform', edit: transform, changes: ['hour'], fills: false },
  { what: 'bundle', edit: bundle, changes: [], fills: false },
  { what: 'spare column', edit: column('spare', 'int32'), changes: [], fills: false },
  { what: 'place', edit: source(() => ({ location: { path: 'x/*.parquet' } })), changes: [], fills: false },
  { what: 'about', edit: view(() => ({ description: 'x', owner: 'ops' })), changes: [], fills: false },
  { what: 'rename', edit: renamed, changes: [], fills: false },
];

const situations = fc.record({
  picked: fc.shuffledSubarray([...FEATURES], { minLength: 1 }),
  edits: fc.shuffledSubarray(EDITS as Edit[]),
  hasModel: fc.boolean(),
});

function edited(picked: readonly string[], edits: readonly Edit[]) {
  const before = manifestOf(picked);
  const after = edits.reduce((manifest, { edit }) => edit(manifest), before);
  const model = { model: 'delay_classifier', version: 1, service: 'delay_features', manifest: before };
  const inUse: InUse = { ...NOTHING_IN_USE, models: [model] };
  return { before, after: withStoredNames(before, after), inUse };
}

describe('a plan of random edits', () => {
  it('is breaking exactly where a version reads what changes, and fills exactly what has other values', () => {
    fc.assert(
      fc.property(situations, ({ picked, edits, hasModel }) => {
        const { before, after, inUse } = edited(picked, edits);
        const plan = makePlan(before, after, 1, hasModel ? inUse : NOTHING_IN_USE);
        const read = new Set<string>([...picked, 'hour']);
        const changed = new Set(edits.flatMap(({ changes }) => changes).filter((name) => read.has(name)));
        const told = new Set(
          plan.changes
            .flatMap(({ touched }) => touched)
            .flatMap((one) => one.features.map((name) => name.split('__')[1])),
        );
        expect(told).toEqual(hasModel ? changed : new Set());
        expect(plan.breaking.length > 0).toBe(hasModel && changed.size > 0);
        expect(plan.views.length > 0).toBe(edits.some(({ fills }) => fills));
        expect(plan.changes.length > 0).toBe(edits.some(({ what }) => what !== 'bundle'));
        // Every reason stands at an object that changes, and says for whom.
        for (const { reasons, lines } of plan.breaking) {
          expect(lines.some(({ kind }) => ['type', 'meaning', 'code'].includes(kind))).toBe(true);
          for (const { who } of reasons) expect(who[0]).toContain('model delay_classifier version 1');
        }
      }),
      { numRuns: runs(400) },
    );
  });

  it('is empty once it is applied, and of equal manifests', () => {
    fc.assert(
      fc.property(situations, ({ picked, edits }) => {
        const { before, after, inUse } = edited(picked, edits);
        const nothing = { baseRevision: 1, changes: [], breaking: [], views: [] };
        for (const one of [before, after])
          expect(makePlan(one, withStoredNames(one, structuredClone(one)), 1, inUse)).toEqual(nothing);
      }),
      { numRuns: runs(100) },
    );
  });
});

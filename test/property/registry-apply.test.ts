import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentHash, fixedClock, MICROS_PER_DAY } from '../../src/core/index.ts';
import type { FeatureSpec, Manifest } from '../../src/definitions/index.ts';
import { type ObjectKind, openRegistry, type Registry } from '../../src/registry/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import {
  airportDelays,
  emptyManifest,
  flights1d,
  flightsManifest,
  flightsManifestWith,
  lastDelay,
  meanDelay7d,
  careful,
  trial,
} from '../support/manifests.ts';
import { runs } from '../support/tier.ts';

const SECTIONS = Object.entries({
  entities: 'entity',
  sources: 'source',
  views: 'view',
  onDemandViews: 'onDemandView',
  services: 'service',
  models: 'model',
  endpoints: 'endpoint',
  pipelines: 'pipeline',
  experiments: 'experiment',
  rollouts: 'rollout',
}) as [keyof Manifest, ObjectKind][];

const retyped: FeatureSpec = { ...flights1d, type: { kind: 'float64' } };

const manifests: fc.Arbitrary<Manifest> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(emptyManifest) },
  {
    weight: 6,
    arbitrary: fc
      .record({
        features: fc.shuffledSubarray([lastDelay, meanDelay7d, flights1d], { minLength: 1 }),
        isRetyped: fc.boolean(),
        ttlDays: fc.constantFrom(null, 1, 30),
        unit: fc.constantFrom(['origin'], ['origin', 'scheduled_at']),
        hasEndpoint: fc.boolean(),
        tag: fc.constantFrom('a', 'b'),
        weight: fc.constantFrom(null, 50, 40),
      })
      .map(({ features, isRetyped, ttlDays, unit, hasEndpoint, tag, weight }): Manifest => {
        const made = flightsManifestWith(
          isRetyped ? features.map((feature) => (feature === flights1d ? retyped : feature)) : features,
        );
        const ttlMicros = ttlDays === null ? null : ttlDays * MICROS_PER_DAY;
        const view = { ...airportDelays, ...made.views['airport_delays'], ttlMicros, tags: { tag } };
        const manifest: Manifest = { ...made, views: { airport_delays: view }, endpoints: {} };
        if (!hasEndpoint) return manifest;
        const delay = { name: 'delay', model: 'delay_classifier', unit, whenStoreDown: 'fail' } as const;
        const plans = {
          experiments: { trial: { ...trial, arms: trial.arms.map((arm) => ({ ...arm, weight: weight ?? 0 })) } },
          rollouts: { careful: { ...careful, minUnits: weight ?? 0 } },
        };
        return { ...manifest, endpoints: { delay }, ...(weight !== null && plans) };
      }),
  },
);

const inRegistry = async (work: (registry: Registry) => Promise<void>): Promise<void> => {
  const database = await openDatabase('sqlite::memory:');
  try {
    await work(await openRegistry(database, fixedClock(0)));
  } finally {
    await database.close();
  }
};

describe('applying manifests one after another', () => {
  it('ends with the last one, whatever came before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(manifests, { minLength: 1, maxLength: 8 }), async (sequence) => {
        await inRegistry(async (registry) => {
          for (const manifest of sequence) {
            const plan = await registry.definitions.plan(manifest);
            const applied = await registry.definitions.apply(manifest, {
              actor: 'ann',
              allowBreaking: true,
              expectedRevision: plan.baseRevision,
            });
            expect(applied.changes).toEqual(plan.changes);
            // Nothing is in use: no version is registered, so no endpoint has traffic.
            expect(plan.breaking).toEqual([]);
          }
          const last = sequence.at(-1) ?? emptyManifest;
          const current = await registry.definitions.current();
          expect(current?.manifest).toEqual(last);
          expect(current?.hash).toBe(contentHash(last));
          expect((await registry.definitions.plan(last)).changes).toEqual([]);
          expect((await registry.endpoints.list()).map(({ name, unit }) => [name, unit])).toEqual(
            Object.values(last.endpoints).map(({ name, unit }) => [name, unit]),
          );
          for (const [section, kind] of SECTIONS) {
            const everNamed = new Set([...sequence].flatMap((manifest) => Object.keys(manifest[section] ?? {})));
            for (const name of everNamed) {
              const versions = await registry.definitions.objectVersions(kind, name);
              const spec = ((last[section] ?? {}) as Record<string, unknown>)[name]; // Every section is a record by name.
              expect(versions.at(-1)?.spec).toEqual(spec ?? null);
              expect(versions.map(({ version }) => version)).toEqual(versions.map((_, at) => at + 1));
            }
          }
        });
      }),
      { numRuns: runs(60) },
    );
  });

  it('is never refused when nothing is removed or changed, whatever is in use', async () => {
    await fc.assert(
      fc.asyncProperty(fc.subarray([meanDelay7d, flights1d]), async (more) => {
        await inRegistry(async (registry) => {
          await registry.definitions.apply(flightsManifestWith([lastDelay]), { actor: 'ann' });
          await registry.models.register({ model: 'delay_classifier', artifact: 'a', signature: {}, actor: 'ann' });
          await registry.definitions.apply(flightsManifestWith([lastDelay, ...more]), { actor: 'ann' });
          await registry.definitions.apply(flightsManifest, { actor: 'ann' });
        });
      }),
      { numRuns: runs(10) },
    );
  });
});

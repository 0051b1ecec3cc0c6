// While definitions change, writers come and go and runs fill one version or all: what is read of a version that readers may
// take is what the oracle says of it, and a service is never moved to one that they may not.

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
  type Micros,
  type Row,
  silentLogger,
} from '../../src/core/index.ts';
import {
  type Definitions,
  type LiveVersion,
  type Manifest,
  placedVersion,
  viewVersion,
} from '../../src/definitions/index.ts';
import { completeVersions, materialize, pruneLog, sweepVersions } from '../../src/offline/index.ts';
import { openRegistry, type Registry, readableVersions, versionsRead } from '../../src/registry/index.ts';
import { openIngestionWorld } from '../support/ingestion-world.ts';
import { COLUMNS } from '../support/materialize-world.ts';
import { definitionsOf, type OfflineWorld, openOfflineWorld, writeParquet } from '../support/offline-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import {
  asJson,
  boundaryOf,
  expectOracle,
  holdBack,
  NOON,
  rowsAt,
  sale,
  salesManifest,
} from '../support/sales-oracle.ts';
import { runs } from '../support/tier.ts';

const VIEWS = ['by_shop', 'by_pair'];

const sales = fc.array(sale, { minLength: 1, maxLength: 3 });
const step = fc.record({
  wait: fc.constantFrom(0, 10 * MICROS_PER_SECOND, 5 * MICROS_PER_MINUTE, 90 * MICROS_PER_MINUTE),
  what: fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('push' as const), sales }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), sales }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('change' as const), to: fc.nat(2) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('run' as const),
        one: fc.option(fc.nat(5)),
        incremental: fc.boolean(),
        /** Whether retention takes from the log what files hold. */
        prunes: fc.boolean(),
      }),
    },
    // Of those that are not applied.
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat(3) }) },
  ),
});

/** Other windows, or fewer features. */
function variant(manifest: Manifest, which: number): Manifest {
  const change = (name: string) => {
    const view = manifest.views[name] as Manifest['views'][string];
    if (which === 1) return { ...view, features: view.features.slice(0, -2) };
    const features = view.features.map((feature) => {
      const { aggregation } = feature;
      if (which === 0 || aggregation.op === 'latest') return feature;
      return {
        ...feature,
        aggregation: { ...aggregation, windowMicros: aggregation.windowMicros + 6 * MICROS_PER_HOUR },
      };
    });
    return { ...view, features };
  };
  const views = { by_shop: change('by_shop'), by_pair: change('by_pair') };
  const members = VIEWS.map((view) => {
    const keyColumns = view === 'by_shop' ? ['shop'] : ['shop', 'item'];
    const features = (views[view as keyof typeof views] as Manifest['views'][string]).features.map(({ name }) => name);
    return { kind: 'view' as const, role: view, view, keyColumns, features };
  });
  return { ...manifest, views, services: { all: { name: 'all', members } } };
}

/** What is applied and kept, with the definitions of each. */
async function keptOf(registry: Registry, byHash: ReadonlyMap<string, Definitions>): Promise<readonly LiveVersion[]> {
  const applied = byHash.get((await registry.definitions.current())?.hash ?? '') as Definitions;
  return (await registry.versions.list()).map(({ version, epoch, view, manifestHash }) =>
    placedVersion({ version, epoch, view, definitions: byHash.get(manifestHash) as Definitions }, applied),
  );
}

describe.each(onlineStoreKinds())('versions side by side on $name', (kind) => {
  let offline: OfflineWorld;
  beforeAll(async () => {
    offline = await openOfflineWorld();
  });
  afterAll(() => offline.close());

  it.each(['keep', 'until-materialized'] as const)(
    'equal the oracle once readers may take them, with pushes that are kept: %s',
    async (pushes) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
          const world = await openIngestionWorld(kind);
          const folder = await mkdtemp(join(offline.directory, 'trial-'));
          const { clock, store, database } = world;
          clock.now = NOON;
          const registry = await openRegistry(database, clock);
          const base = salesManifest(pushes, folder);
          const byHash = new Map<string, Definitions>();
          let current = definitionsOf(variant(base, 0), folder);
          let kept: readonly LiveVersion[] = [];
          const apply = async (which: number): Promise<void> => {
            current = definitionsOf(variant(base, which), folder);
            const { hash } = await registry.definitions.apply(current.manifest, { actor: 'a', allowBreaking: true });
            byHash.set(hash, current);
            kept = await keptOf(registry, byHash);
          };
          await apply(0);
          const held = holdBack();
          const open = () =>
            world.open({
              definitions: () => current,
              versions: () => kept,
              firstCuts: registry.versions,
              lookEveryMs: 5,
              between: held.between,
              closeLimitMs: 500,
            });
          let server = await open();
          try {
            let seq = 0n;
            let now = NOON;
            const rows = steps.map(({ wait, what }): Row[] => {
              now += wait;
              return 'sales' in what ? rowsAt(what.sales, now, () => seq++) : [];
            });
            if (pushes !== 'keep')
              await writeParquet(offline.connection, join(folder, 'sales.parquet'), COLUMNS, rows.flat());
            const arrived: Row[] = [];
            for (const [index, { wait, what }] of steps.entries()) {
              clock.now += wait;
              const mine = rows[index] as Row[];
              switch (what.kind) {
                case 'push':
                  await server.ingestion.push('sales', mine.map(asJson));
                  break;
                case 'lose': {
                  const isHeld = held.stop();
                  const lost = server.ingestion.push('sales', mine.map(asJson));
                  lost.catch(() => {});
                  await Promise.race([lost, isHeld]);
                  await server.drop();
                  held.go();
                  server = await open();
                  await server.ingestion.settle();
                  break;
                }
                case 'restart':
                  await server.close();
                  server = await open();
                  break;
                case 'change':
                  await apply(what.to);
                  break;
                case 'run': {
                  const views = what.one === null ? undefined : [kept[what.one % kept.length]?.version as string];
                  // Its writers answer.
                  const places = { clock, store, database, log: server.log, dataDirectory: folder, askTimeoutMs: 5000 };
                  const deps = { ...offline.deps, ...places, definitions: current, versions: kept };
                  const { incremental } = what;
                  await materialize(deps, { incremental, dryRun: false, ...(views === undefined ? {} : { views }) });
                  const retention = { retentionMicros: undefined, marginMicros: 0 };
                  if (what.prunes) await pruneLog({ ...deps, ...retention }, { dryRun: false });
                  break;
                }
                case 'remove': {
                  const applied = new Set(VIEWS.map((view) => viewVersion(current.manifest, view)));
                  const others = (await registry.versions.list()).filter(({ version }) => !applied.has(version));
                  const row = others[what.which];
                  if (row === undefined) break;
                  if ((await registry.versions.needs()).has(row.version)) break;
                  await registry.versions.remove(row, 'a');
                  kept = await keptOf(registry, byHash);
                  // The writer lets go of it at its next cut; its records go before or after.
                  await sweepVersions({ registry, runs: world.runs, store, clock: world.clock, logger: silentLogger });
                  break;
                }
              }
              arrived.push(...mine);
              const waiting = (await registry.versions.list()).filter((row) => row.completedMicros === null);
              await completeVersions(
                { versions: registry.versions, store, runs: world.runs, log: server.log },
                kept.filter(({ version }) => waiting.some((row) => row.version === version)),
              );
              const list = await registry.versions.list();
              for (const row of list) {
                if (row.completedMicros === null) continue;
                const { manifest } = byHash.get(row.manifestHash) as Definitions;
                const boundary = await boundaryOf(world, manifest, row.view);
                const there = rows.flat().filter((one) => (one['at'] as Micros) <= boundary || arrived.includes(one));
                await expectOracle(world, manifest, row.view, there, `of ${row.version} after step ${index}`);
              }
              const isReadable = readableVersions(list);
              for (const { manifestHash, state } of await registry.versions.servedServices()) {
                const { manifest } = byHash.get(manifestHash) as Definitions;
                if (state !== 'unserved')
                  expect(versionsRead(manifest, 'all').filter((version) => !isReadable(version))).toEqual([]);
              }
            }
          } finally {
            held.go();
            await world.close();
          }
        }),
        { numRuns: runs(kind.name === 'lmdb' ? 12 : 5), endOnFailure: true },
      );
    },
    120_000,
  );
});

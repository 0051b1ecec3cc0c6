// After any mix of pushes, processes that die between log and store, and materializes, what is read online is what the
// oracle says of the events that came so far. With real materialize, on both stores, for both ways of keeping pushes.

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MICROS_PER_MINUTE, MICROS_PER_SECOND, type Micros, type Row } from '../../src/core/index.ts';
import type { Manifest, ViewSpec } from '../../src/definitions/index.ts';
import { materialize, type MaterializeDeps, pruneLog } from '../../src/offline/index.ts';
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

const step = fc.record({
  /** Before the step, the clock moves on. */
  wait: fc.constantFrom(0, 10 * MICROS_PER_SECOND, 5 * MICROS_PER_MINUTE, 90 * MICROS_PER_MINUTE),
  what: fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('push' as const),
        sales: fc.array(sale, { minLength: 1, maxLength: 4 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('lose' as const),
        sales: fc.array(sale, { minLength: 1, maxLength: 2 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('materialize' as const),
        incremental: fc.constantFrom(true, true, false),
        /** Whether retention takes from the log what files hold. */
        prunes: fc.boolean(),
      }),
    },
  ),
});

describe.each(onlineStoreKinds())('on $name', (kind) => {
  let offline: OfflineWorld;
  beforeAll(async () => {
    offline = await openOfflineWorld();
  });
  afterAll(() => offline.close());

  it.each(['keep', 'until-materialized'] as const)(
    'online equals the oracle, with pushes that are kept: %s',
    async (pushes) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 9 }), async (steps) => {
          const world = await openIngestionWorld(kind);
          const directory = await mkdtemp(join(offline.directory, 'trial-'));
          const manifest = salesManifest(pushes, directory);
          const definitions = definitionsOf(manifest, directory);
          const held = holdBack();
          const open = () =>
            world.open({ definitions: () => definitions, lookEveryMs: 5, between: held.between, closeLimitMs: 500 });
          world.clock.now = NOON;
          let server = await open();
          try {
            const { clock, store, database } = world;
            const deps = {
              ...offline.deps,
              definitions,
              clock,
              store,
              database,
              log: server.log,
              dataDirectory: directory,
            };
            const rows = rowsOf(steps);
            // What else brings the events: all of them, also those to come.
            if (pushes !== 'keep') {
              await writeParquet(offline.connection, join(directory, 'sales.parquet'), COLUMNS, rows.flat());
            }
            const arrived: Row[] = [];
            for (const [index, { wait, what }] of steps.entries()) {
              clock.now += wait;
              if (what.kind === 'materialize') {
                const { incremental, prunes } = what;
                const { views } = await materialize(
                  { ...deps, log: server.log },
                  { views: VIEWS, incremental, dryRun: false },
                );
                expect(views.map(({ view }) => view)).toEqual(VIEWS);
                if (prunes) await prune({ ...deps, log: server.log }, manifest);
              } else {
                const mine = rows[index] as Row[];
                if (what.kind === 'push') {
                  await server.ingestion.push('sales', mine.map(asJson));
                } else {
                  // A process that died between its log and the store: what it logged is settled by the next.
                  const isHeld = held.stop();
                  const lost = server.ingestion.push('sales', mine.map(asJson));
                  lost.catch(() => {});
                  // One that a run's boundary covers has nothing to write.
                  await Promise.race([lost, isHeld]);
                  await server.drop();
                  held.go();
                  server = await open();
                  await server.ingestion.settle();
                }
                arrived.push(...mine);
              }
              for (const view of VIEWS) {
                const boundary = await boundaryOf(world, manifest, view);
                const there = rows.flat().filter((row) => {
                  return (row['at'] as Micros) <= boundary || arrived.includes(row);
                });
                await expectOracle(world, manifest, view, there, `after step ${index}`);
              }
            }
          } finally {
            held.go();
            await world.close();
          }
        }),
        { numRuns: runs(kind.name === 'lmdb' ? 8 : 4) },
      );
    },
    120_000,
  );
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Each step's rows, at the times that the clock will show. */
function rowsOf(steps: readonly Step[]): Row[][] {
  let now = NOON;
  let seq = 0n;
  return steps.map(({ wait, what }) => {
    now += wait;
    return what.kind === 'materialize' ? [] : rowsAt(what.sales, now, () => seq++);
  });
}

/** As if the views that are materialized were all there are: the log waits for every one. */
async function prune(deps: MaterializeDeps, manifest: Manifest): Promise<void> {
  const views = Object.fromEntries(VIEWS.map((view) => [view, manifest.views[view] as ViewSpec]));
  const definitions = { ...deps.definitions, manifest: { ...manifest, views } };
  await pruneLog({ ...deps, definitions, retentionMicros: undefined, marginMicros: 0 }, { dryRun: false });
}

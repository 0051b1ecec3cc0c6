// After any mix of pushes, processes that die between log and store, and materializes, what is read online is what the
// oracle says of the events that came so far. With real materialize, on both stores, for both ways of keeping pushes.

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  MICROS_PER_DAY,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
  type Micros,
  type Row,
  toJson,
} from '../../src/core/index.ts';
import type { Manifest, SourceSpec, ViewSpec } from '../../src/definitions/index.ts';
import { materialize, type MaterializeDeps, pruneLog } from '../../src/offline/index.ts';
import { createViewCodec, type OnlineStore, type StoreWriter } from '../../src/online/index.ts';
import { type IngestionWorld, openIngestionWorld } from '../support/ingestion-world.ts';
import { COLUMNS, materializeManifest, openDirectory, readAll, START } from '../support/materialize-world.ts';
import { definitionsOf, type OfflineWorld, openOfflineWorld, writeParquet } from '../support/offline-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { oracleView, sameValue } from '../support/oracle.ts';

const NOON = START + MICROS_PER_DAY;
const SHOPS = ['a', 'b', 'c'];
const VIEWS = ['by_shop', 'by_pair'];

const sale = fc.record({
  shop: fc.constantFrom(...SHOPS),
  item: fc.constantFrom(1n, 2n),
  /** Minutes before it is pushed. */
  happened: fc.integer({ min: 0, max: 2000 }),
  /** How much of that time it was unknown: a push may come long after its known time. */
  unknown: fc.constantFrom(0, 0, 0.5, 1),
  gone: fc.constantFrom(false, false, false, true),
  price: fc.constantFrom(1, 2.5, null),
  amount: fc.constantFrom(10n, -(2n ** 40n), null),
  tag: fc.constantFrom('x', 'y', null),
});
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
          const manifest = manifestOf(pushes, directory);
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
        { numRuns: kind.name === 'lmdb' ? 8 : 4 },
      );
    },
    120_000,
  );
});

/** Of the last finished run; −∞ before the first. */
async function boundaryOf({ runs }: IngestionWorld, manifest: Manifest, view: string): Promise<Micros> {
  const rows = await runs.ofVersion(createViewCodec(manifest, view).version);
  return rows.findLast(({ state }) => state === 'finished')?.boundary ?? -Infinity;
}

/** Holds back, while stopped, what a process writes to its store. */
function holdBack() {
  let opened = Promise.resolve();
  let go = (): void => {};
  let tell = (): void => {};
  return {
    /** Resolves once something is held back. */
    stop(): Promise<void> {
      opened = new Promise((resolve) => (go = resolve));
      return new Promise((resolve) => (tell = resolve));
    },
    go: () => go(),
    between: (store: OnlineStore): OnlineStore => ({
      ...store,
      async writer(link): Promise<StoreWriter> {
        const writer = await store.writer(link);
        return {
          ...writer,
          async putParts(parts) {
            tell();
            await opened;
            return writer.putParts(parts);
          },
        };
      },
    }),
  };
}

function asJson(row: Row): object {
  return Object.fromEntries(COLUMNS.map(({ name, type }) => [name, toJson(type, row[name] ?? null)]));
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Each step's rows, at the times that the clock will show. */
function rowsOf(steps: readonly Step[]): Row[][] {
  let now = NOON;
  let seq = 0n;
  return steps.map(({ wait, what }) => {
    now += wait;
    if (what.kind === 'materialize') return [];
    return what.sales.map(({ happened, unknown, ...values }) => ({
      ...values,
      at: now - happened * MICROS_PER_MINUTE,
      known: now - Math.floor(happened * (1 - unknown)) * MICROS_PER_MINUTE,
      seq: seq++,
    }));
  });
}

/** As if the views that are materialized were all there are: the log waits for every one. */
async function prune(deps: MaterializeDeps, manifest: Manifest): Promise<void> {
  const views = Object.fromEntries(VIEWS.map((view) => [view, manifest.views[view] as ViewSpec]));
  const definitions = { ...deps.definitions, manifest: { ...manifest, views } };
  await pruneLog({ ...deps, definitions, retentionMicros: undefined, marginMicros: 0 }, { dryRun: false });
}

function manifestOf(pushes: SourceSpec['pushes'], directory: string): Manifest {
  const manifest = materializeManifest(join(directory, 'sales.parquet'));
  const sales = manifest.sources['sales'] as SourceSpec;
  const kept: SourceSpec = { ...sales, kind: 'pushed', location: {}, pushes };
  return { ...manifest, sources: { sales: pushes === 'keep' ? kept : sales } };
}

async function expectOracle(
  { store, database, clock }: IngestionWorld,
  manifest: Manifest,
  view: string,
  rows: readonly Row[],
  when: string,
): Promise<void> {
  const at = clock.now;
  const index = VIEWS.indexOf(view);
  const directory = await openDirectory(database);
  for (const shop of SHOPS) {
    const values = (await readAll(manifest, store, directory, shop, 1n, at))[index];
    const expected = oracleView({ manifest, rows: { sales: rows } }, view, index === 0 ? [shop] : [shop, 1n], at);
    manifest.views[view]?.features.forEach(({ name, type }, f) => {
      const [actual, wanted] = [values?.[f] ?? null, expected[f] ?? null];
      const of = { when, shop, feature: `${view}.${name}` };
      if (!sameValue(type, actual, wanted)) expect({ ...of, value: actual }).toEqual({ ...of, value: wanted });
    });
  }
}

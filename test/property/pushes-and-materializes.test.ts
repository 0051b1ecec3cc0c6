// After any mix of pushes, lost pushes found again, and materializes, what is read online is what the oracle says of the
// events that came so far. With real materialize, on both stores, for both ways of keeping pushes.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MICROS_PER_DAY, MICROS_PER_MINUTE, MICROS_PER_SECOND, type Micros, type Row } from '../../src/core/index.ts';
import type { Manifest, SourceSpec } from '../../src/definitions/index.ts';
import { materialize } from '../../src/offline/index.ts';
import { applyPush, openOnlineStore, openPushLog, replayPushLog } from '../../src/online/index.ts';
import { COLUMNS, materializeManifest, readAll, START } from '../support/materialize-world.ts';
import { definitionsOf, type OfflineWorld, openOfflineWorld, writeParquet } from '../support/offline-world.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';
import { oracleView, sameValue } from '../support/oracle.ts';

const NOON = START + MICROS_PER_DAY;
const SHOPS = ['a', 'b', 'c'];

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
      }),
    },
  ),
});

describe.each(onlineStoreKinds())('on $name', ({ name: kind, prepare }) => {
  let world: OfflineWorld;
  let place: OnlineStorePlace;
  beforeAll(async () => {
    world = await openOfflineWorld();
    place = await prepare();
  });
  afterAll(async () => {
    await place.remove();
    await world.close();
  });

  it.each(['keep', 'until-materialized'] as const)(
    'online equals the oracle, with pushes that are kept: %s',
    async (pushes) => {
      let trial = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 9 }), async (steps) => {
          const project = `${pushes}-${trial++}`;
          const directory = join(world.directory, project);
          await mkdir(directory);
          let now = NOON;
          const clock = { nowMicros: () => now };
          // Trials share the store, each as a project of its own.
          const store = await openOnlineStore(place.url, { project, clock });
          const log = openPushLog(join(directory, 'push-log'), { clock });
          try {
            const manifest = manifestOf(pushes, directory);
            const source = manifest.sources['sales'] as SourceSpec;
            const definitions = definitionsOf(manifest, directory);
            const deps = {
              ...world.deps,
              definitions,
              clock,
              store,
              pushLog: log,
              pushLogDirectory: join(directory, 'push-log'),
            };
            const rows = rowsOf(steps);
            // What else brings the events: all of them, the times of knowing hide those to come.
            if (pushes !== 'keep') {
              await writeParquet(world.connection, join(directory, 'sales.parquet'), COLUMNS, rows.flat());
            }
            let watermark = -Infinity;
            const arrived: Row[] = [];
            for (const [index, { wait, what }] of steps.entries()) {
              now += wait;
              if (what.kind === 'materialize') {
                await materialize(deps, {
                  views: ['by_shop', 'by_pair'],
                  incremental: what.incremental,
                  dryRun: false,
                });
                watermark = pushes === 'keep' ? watermark : now;
              } else {
                const mine = rows[index] as Row[];
                const appended = await log.append(source, {
                  rows: mine.map((row) => ({ row, knownMicros: row['known'] as Micros })),
                });
                // A process that died in between: what it left in the log is applied when the next one starts.
                if (what.kind === 'push') await applyPush(store, manifest, 'sales', appended.rows);
                else await replayPushLog(log, store, manifest, 'sales', (declared) => declared);
                arrived.push(...mine);
              }
              const known = new Set([
                ...arrived,
                ...rows.flat().filter((row) => (row['known'] as Micros) <= watermark),
              ]);
              await expectOracle(manifest, store, [...known], now, `after step ${index}`);
            }
          } finally {
            await log.close();
            await store.close();
          }
        }),
        { numRuns: kind === 'lmdb' ? 12 : 6 },
      );
    },
    60_000,
  );
});

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

function manifestOf(pushes: SourceSpec['pushes'], directory: string): Manifest {
  const manifest = materializeManifest(join(directory, 'sales.parquet'));
  const sales = manifest.sources['sales'] as SourceSpec;
  const kept: SourceSpec = { ...sales, kind: 'pushed', location: {}, pushes };
  return { ...manifest, sources: { sales: pushes === 'keep' ? kept : sales } };
}

async function expectOracle(
  manifest: Manifest,
  store: Parameters<typeof readAll>[1],
  rows: readonly Row[],
  at: Micros,
  when: string,
): Promise<void> {
  for (const shop of SHOPS) {
    const values = await readAll(manifest, store, shop, 1n, at);
    for (const [i, view] of (['by_shop', 'by_pair'] as const).entries()) {
      const expected = oracleView({ manifest, rows: { sales: rows } }, view, i === 0 ? [shop] : [shop, 1n], at);
      manifest.views[view]?.features.forEach(({ name, type }, f) => {
        const [actual, wanted] = [values[i]?.[f] ?? null, expected[f] ?? null];
        if (!sameValue(type, actual, wanted)) {
          expect({ when, shop, feature: `${view}.${name}`, value: actual }).toEqual({
            when,
            shop,
            feature: `${view}.${name}`,
            value: wanted,
          });
        }
      });
    }
  }
}

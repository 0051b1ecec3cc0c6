// After any mix of files that come, change and go, of pushes and of runs, what is read is what the oracle says of the
// facts that count: up to the last run's boundary the files as it read them, past it all that was pushed.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { MICROS_PER_HOUR, MICROS_PER_MINUTE, type Micros, type Row } from '../../src/core/index.ts';
import type { Manifest, SourceSpec } from '../../src/definitions/index.ts';
import { recordsAsOf } from '../../src/offline/index.ts';
import type { RunRow } from '../../src/online/index.ts';
import { openPushesWorld, type PushesWorld } from '../support/materialize-pushes.ts';
import { COLUMNS, expectView, materializeManifest, openDirectory, readAll } from '../support/materialize-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { oracleView } from '../support/oracle.ts';
import { runs } from '../support/tier.ts';

const SHOPS = ['a', 'b', 'c'];
const ITEM = 2n ** 53n + 1n;

const sale = fc.record({
  shop: fc.constantFrom(...SHOPS, null),
  item: fc.constantFrom(ITEM, ITEM + 1n),
  /** Half hours before the clock, so that times tie. */
  happened: fc.integer({ min: 0, max: 60 }),
  /** Half hours from then until it is known. */
  unknown: fc.constantFrom(0, 0, 0, 1, 5),
  seq: fc.constantFrom(null, 1n, 2n, 2n ** 60n),
  gone: fc.constantFrom(false, false, false, true),
  price: fc.constantFrom(1, 2.5, null),
  amount: fc.constantFrom(10n, -(2n ** 40n), null),
  tag: fc.constantFrom('x', 'y', null),
});
const sales = fc.array(sale, { minLength: 1, maxLength: 4 });
const what = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('push' as const), sales }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('file' as const), file: fc.nat({ max: 2 }), sales }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), file: fc.nat({ max: 2 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      how: fc.constantFrom('new', 'new', 'new', 'all', 'from'),
    }),
  },
);
const step = fc.record({ wait: fc.constantFrom(0, 0, 5 * MICROS_PER_MINUTE, 90 * MICROS_PER_MINUTE), what });
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Sale = typeof sale extends fc.Arbitrary<infer T> ? T : never;

interface PushedPlace {
  readonly knownMicros: Micros;
  readonly writer: number;
  readonly offset: number;
}
type Places = ReadonlyMap<Row, PushedPlace>;

/** What a view's last finished run read. */
interface Taken {
  readonly row: RunRow;
  readonly files: readonly Row[];
  readonly pushes: number;
}

describe.each(onlineStoreKinds())('on $name', ({ name: kind, prepare }) => {
  it.each(['keep', 'until-materialized'] as const)(
    'materialize and pushes come to what the oracle says, with pushes: %s',
    { timeout: 120_000 },
    async (pushes) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
          const manifest = (path: string) => manifestOf(pushes, path);
          const world = await openPushesWorld({ prepare }, {}, { columns: COLUMNS, manifest });
          try {
            await play(world, steps);
          } finally {
            await world.close();
          }
        }),
        { numRuns: runs(kind === 'lmdb' ? 8 : 3) },
      );
    },
  );
});

async function play(world: PushesWorld, steps: readonly Step[]): Promise<void> {
  const { clock } = world;
  const files = new Map<string, readonly Row[]>([['sales-first.parquet', []]]);
  await world.file('sales-first.parquet', []);
  const pushed: Row[] = [];
  const places = new Map<Row, PushedPlace>();
  const taken = new Map<string, Taken>();
  for (const [index, { wait, what: done }] of steps.entries()) {
    clock.now += wait;
    switch (done.kind) {
      case 'push': {
        const rows = done.sales.map((one) => rowOf(one, clock.now));
        await world.push(...rows);
        for (const row of rows) {
          places.set(row, { knownMicros: row['known'] as Micros, writer: 1, offset: pushed.length });
          pushed.push(row);
        }
        break;
      }
      case 'file': {
        const name = `sales-${done.file}.parquet`;
        const rows = done.sales.map((one) => rowOf(one, clock.now));
        files.set(name, rows);
        await world.file(name, rows);
        break;
      }
      case 'remove':
        if (files.delete(`sales-${done.file}.parquet`)) rmSync(join(world.directory, `sales-${done.file}.parquet`));
        break;
      case 'run': {
        const from = clock.now - 10 * MICROS_PER_HOUR;
        await world.run(done.how === 'new' ? {} : { incremental: false, ...(done.how === 'from' && { from }) });
        for (const view of Object.keys(world.manifest.views)) {
          const row = (await world.rowsOf(view)).findLast(({ state }) => state === 'finished');
          if (row !== undefined) taken.set(view, { row, files: [...files.values()].flat(), pushes: pushed.length });
        }
        break;
      }
    }
    await expectOracle(world, pushed, places, taken, `step ${index}`);
  }
  // What is not shipped yet is not among the facts.
  await world.run({ incremental: false });
  await expectAsOf(world, [...files.values()].flat(), pushed, places);
}

/** Reads as of earlier times, of which the store no longer has all. */
async function expectAsOf(
  { manifest, deps, clock }: PushesWorld,
  files: readonly Row[],
  pushed: readonly Row[],
  places: Places,
): Promise<void> {
  const isWhole = (manifest.sources['sales'] as SourceSpec).pushes === 'keep' || pushed.length === 0;
  const boundary = Math.max(-Infinity, ...files.map(({ at }) => at as Micros).filter((at) => at <= clock.now));
  const rows = [
    ...files.filter(({ at }) => isWhole || (at as Micros) <= boundary),
    ...pushed.filter(({ at }) => isWhole || (at as Micros) > boundary),
  ];
  for (const hoursAgo of [1, 13]) {
    const at = clock.now - hoursAgo * MICROS_PER_HOUR;
    const { store, directory } = recordsAsOf(deps, at);
    // Each read opens the facts anew: one shop of several.
    for (const shop of SHOPS.slice(0, 1)) {
      const values = await readAll(manifest, store, directory, shop, ITEM, at);
      for (const [i, view] of Object.keys(manifest.views).entries()) {
        const key = view === 'by_pair' ? [shop, ITEM] : [shop];
        const expected = oracleView({ manifest, rows: { sales: rows }, pushed: places }, view, key, at);
        expectView(manifest, view, values[i], expected, { hoursAgo, shop });
      }
    }
  }
}

function rowOf({ happened, unknown, ...values }: Sale, now: Micros): Row {
  const at = now - (now % (30 * MICROS_PER_MINUTE)) - happened * 30 * MICROS_PER_MINUTE;
  return { ...values, at, known: at + unknown * 30 * MICROS_PER_MINUTE };
}

async function expectOracle(
  { manifest, store, deps, clock }: PushesWorld,
  pushed: readonly Row[],
  places: Places,
  taken: ReadonlyMap<string, Taken>,
  when: string,
): Promise<void> {
  const isKept = (manifest.sources['sales'] as SourceSpec).pushes === 'keep';
  const directory = await openDirectory(deps.database);
  for (const shop of SHOPS) {
    const values = await readAll(manifest, store, directory, shop, ITEM, clock.now);
    for (const [i, view] of Object.keys(manifest.views).entries()) {
      const last = taken.get(view);
      const isLive = view !== 'hourly';
      const boundary = last?.row.boundary ?? -Infinity;
      const time = isLive ? clock.now : (last?.row.asOf ?? -Infinity);
      const filed = (last?.files ?? []).filter((row) => isKept || (row['at'] as Micros) <= boundary);
      const logged = pushed
        .slice(0, isLive ? undefined : (last?.pushes ?? 0))
        .filter((row) => isKept || (row['at'] as Micros) > boundary);
      const world = { manifest, rows: { sales: [...filed, ...logged] }, pushed: places };
      const key = view === 'by_pair' ? [shop, ITEM] : [shop];
      const expected = oracleView(world, view, key, time);
      expectView(manifest, view, values[i], expected, { when, shop });
    }
  }
}

function manifestOf(pushes: SourceSpec['pushes'], path: string): Manifest {
  const manifest = materializeManifest(path);
  const sales = manifest.sources['sales'] as SourceSpec;
  return { ...manifest, sources: { sales: { ...sales, pushes } } };
}

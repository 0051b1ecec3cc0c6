// What properties of pushes and materializes share: sales at random, processes whose writes are held back, and what the
// oracle says of every key.

import { join } from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';
import { MICROS_PER_DAY, MICROS_PER_MINUTE, type Micros, type Row, toJson } from '../../src/core/index.ts';
import type { Manifest, SourceSpec } from '../../src/definitions/index.ts';
import { createViewCodec, type OnlineStore, type StoreWriter } from '../../src/online/index.ts';
import type { IngestionWorld } from './ingestion-world.ts';
import { COLUMNS, materializeManifest, openDirectory, readAll, START } from './materialize-world.ts';
import { oracleView, sameValue } from './oracle.ts';

export const NOON = START + MICROS_PER_DAY;
export const SHOPS = ['a', 'b', 'c'];

export const sale = fc.record({
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

export function salesManifest(pushes: SourceSpec['pushes'], directory: string): Manifest {
  const manifest = materializeManifest(join(directory, 'sales.parquet'));
  const sales = manifest.sources['sales'] as SourceSpec;
  const kept: SourceSpec = { ...sales, kind: 'pushed', location: {}, pushes };
  return { ...manifest, sources: { sales: pushes === 'keep' ? kept : sales } };
}

export type Sale = typeof sale extends fc.Arbitrary<infer T> ? T : never;

/** Sales as rows that are pushed at `now`. */
export function rowsAt(sales: readonly Sale[], now: Micros, nextSeq: () => bigint): Row[] {
  return sales.map(({ happened, unknown, ...values }) => ({
    ...values,
    at: now - happened * MICROS_PER_MINUTE,
    known: now - Math.floor(happened * (1 - unknown)) * MICROS_PER_MINUTE,
    seq: nextSeq(),
  }));
}

/** Of the last finished run; −∞ before the first. */
export async function boundaryOf({ runs }: IngestionWorld, manifest: Manifest, view: string): Promise<Micros> {
  const rows = await runs.ofVersion(createViewCodec(manifest, view).version);
  return rows.findLast(({ state }) => state === 'finished')?.boundary ?? -Infinity;
}

/** Holds back, while stopped, what a process writes to its store. */
export function holdBack() {
  let opened = Promise.resolve();
  let go = (): void => {};
  let tell = (): void => {};
  return {
    /** Resolves once something of the process's own is held back. */
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
            // Not what is settled beside it: that another process logged.
            if (parts.some(({ holder }) => holder === 1)) tell();
            await opened;
            return writer.putParts(parts);
          },
        };
      },
    }),
  };
}

export function asJson(row: Row): object {
  return Object.fromEntries(COLUMNS.map(({ name, type }) => [name, toJson(type, row[name] ?? null)]));
}

export async function expectOracle(
  { store, database, clock }: IngestionWorld,
  manifest: Manifest,
  view: string,
  rows: readonly Row[],
  when: string,
): Promise<void> {
  const at = clock.now;
  const index = ['by_shop', 'by_pair', 'hourly'].indexOf(view);
  const directory = await openDirectory(database);
  for (const shop of SHOPS) {
    const values = (await readAll(manifest, store, directory, shop, 1n, at))[index];
    const expected = oracleView(
      { manifest, rows: { sales: rows } },
      view,
      view === 'by_pair' ? [shop, 1n] : [shop],
      at,
    );
    manifest.views[view]?.features.forEach(({ name, type }, f) => {
      const [actual, wanted] = [values?.[f] ?? null, expected[f] ?? null];
      const of = { when, shop, feature: `${view}.${name}` };
      if (!sameValue(type, actual, wanted)) expect({ ...of, value: actual }).toEqual({ ...of, value: wanted });
    });
  }
}

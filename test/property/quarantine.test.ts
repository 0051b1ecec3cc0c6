// After any mix of files, pushes, releases and materializes, with random rules that set rows apart: what is read online is
// what the oracle says of the rows that are sound or were put back, and so is a training set.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { releaseQuarantined } from '../../src/control/index.ts';
import { MICROS_PER_MINUTE, type Micros, type Row, type Value } from '../../src/core/index.ts';
import type { Expectation, SourceSpec } from '../../src/definitions/index.ts';
import type { Ingestion } from '../../src/ingestion/index.ts';
import { quarantinedFileRows } from '../../src/offline/index.ts';
import { TYPES } from '../support/offline-world.ts';
import {
  asJson,
  NOW,
  openPushesWorld,
  type PushesWorld,
  SALE_COLUMNS,
  shopTrainingSet,
} from '../support/materialize-pushes.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { oracleView, sameValue } from '../support/oracle.ts';
import { breaksValueRule, contentOf, soundRows } from '../support/quarantine-oracle.ts';
import { rows as tierRows, runs } from '../support/tier.ts';

const SHOPS = ['a', 'b', 'c'];
const row = fc.record({
  shop: fc.option(fc.constantFrom(...SHOPS), { freq: 8, nil: null }),
  minutesAgo: fc.integer({ min: 1, max: 12 }),
  price: fc.option(fc.constantFrom(-1, 0, 1, 2, 9, 10, Number.NaN), { freq: 6, nil: null }),
});
const rows = fc.array(row, { minLength: 1, maxLength: 6 });

const valueRule = fc.oneof(
  fc.constant<Expectation>({ rule: 'notNull', column: 'price', onFail: 'quarantine' }),
  fc.constantFrom<Expectation>(
    { rule: 'between', column: 'price', min: 0, max: 9, onFail: 'quarantine' },
    { rule: 'between', column: 'price', min: 1, max: null, onFail: 'quarantine' },
    { rule: 'between', column: 'price', min: null, max: 2, onFail: 'quarantine' },
  ),
  fc.constant<Expectation>({ rule: 'oneOf', column: 'shop', values: ['a', 'b'], onFail: 'quarantine' }),
  fc.constant<Expectation>({ rule: 'between', column: 'price', min: 5, max: 6, onFail: 'warn' }),
);
const uniqueRule = fc.constantFrom<Expectation>(
  { rule: 'unique', columns: ['shop', 'at'], onFail: 'quarantine' },
  { rule: 'unique', columns: ['price'], onFail: 'quarantine' },
);

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('push' as const), rows, isKeyed: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('file' as const), rows, name: fc.constantFrom('1', '2', '3', '4') }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), share: fc.constantFrom(0.5, 1) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('materialize' as const),
      incremental: fc.constantFrom(true, true, false),
    }),
  },
);

const [lmdb, ...others] = onlineStoreKinds();
const kinds = tierRows(lmdb === undefined ? [] : [lmdb], others);

describe.each(kinds)('on $name', (kind) => {
  it.each(['keep', 'until-materialized'] as const)(
    'sound rows alone count, with pushes that are kept: %s',
    async (pushes) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(valueRule, { minLength: 1, maxLength: 2 }),
          fc.option(uniqueRule, { nil: undefined }),
          fc.array(step, { minLength: 3, maxLength: 10 }),
          async (values, unique, steps) => {
            const rules = unique === undefined ? values : [...values, unique];
            const world = await openPushesWorld(kind, {
              expect: rules,
              pushes,
              knownTime: { kind: 'column', column: 'at' },
            });
            try {
              await check(world, pushes, steps);
            } finally {
              await world.close();
            }
          },
        ),
        { numRuns: runs(kind.name === 'lmdb' ? 12 : 5) },
      );
    },
    240_000,
  );
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function check(world: PushesWorld, pushes: SourceSpec['pushes'], steps: readonly Step[]): Promise<void> {
  const files = new Map<string, readonly Row[]>([['1', [{ shop: 'a', at: NOW - 20 * MICROS_PER_MINUTE, price: 5 }]]]);
  await world.file('sales1.parquet', files.get('1') as Row[]);
  const pushed: Row[] = [];
  const held: Row[] = [];
  const released = new Map<string, Micros>();
  const source = world.manifest.sources['sales'] as SourceSpec;
  /** What the last run saw of the files. */
  let seen: { readonly rows: readonly Row[]; readonly boundary: Micros } = { rows: [], boundary: -Infinity };
  const ingestion: Ingestion = world.openIngestion();
  let keys = 0;
  const toRows = (
    some: Step & { rows: readonly { shop: string | null; minutesAgo: number; price: number | null }[] },
  ) => some.rows.map(({ shop, minutesAgo, price }): Row => ({ shop, at: NOW - minutesAgo * MICROS_PER_MINUTE, price }));
  const counted = (): Row[] => [
    ...seen.rows.filter((one) => pushes === 'keep' || (one['at'] as Micros) <= seen.boundary),
    ...pushed.filter((one) => pushes === 'keep' || (one['at'] as Micros) > seen.boundary),
  ];
  for (const one of steps) {
    switch (one.kind) {
      case 'push': {
        const own = toRows(one);
        const key = one.isKeyed ? `key ${keys++}` : undefined;
        const json = own.map((each) => asJson(SALE_COLUMNS, each));
        const result = await ingestion.push('sales', json, key);
        const bad = own.filter((each) => breaksValueRule(source, each));
        expect([result.accepted, result.quarantined ?? 0]).toEqual([own.length - bad.length, bad.length]);
        if (key !== undefined) expect(await ingestion.push('sales', json, key)).toMatchObject({ duplicate: true });
        held.push(...bad);
        pushed.push(...own.filter((each) => !bad.includes(each)));
        break;
      }
      case 'file': {
        files.set(one.name, toRows(one));
        await world.file(`sales${one.name}.parquet`, toRows(one));
        continue;
      }
      case 'release': {
        const inFiles = await quarantinedFileRows(world.deps, source, 1000);
        const inLog = await world.quarantine.rows('sales');
        const chosen = <T>(all: readonly T[]): readonly T[] => all.slice(0, Math.ceil(all.length * one.share));
        const ids = [...chosen(inFiles), ...chosen(inLog)].map(({ id }) => id);
        if (ids.length === 0) continue;
        // Told by what they hold, as the ids are the product's own.
        const isTaken = ({ row: text }: { readonly row: string }) => released.set(contentOfJson(source, text), NOW);
        const back = inLog.filter(({ id }) => ids.includes(id)).map(({ row: text }) => contentOfJson(source, text));
        inFiles.filter(({ id }) => ids.includes(id)).forEach(isTaken);
        await releaseQuarantined(
          { offline: world.deps, quarantine: world.quarantine, ingestion: async () => ingestion },
          { source: 'sales', ids, by: 'test', reason: null },
        );
        for (const content of back) {
          released.set(content, NOW);
          const at = held.findIndex((each) => contentOf(source, each) === content);
          expect(at).toBeGreaterThanOrEqual(0);
          pushed.push(...held.splice(at, 1));
        }
        break;
      }
      case 'materialize': {
        await world.run({ incremental: one.incremental });
        const all = [...files].sort().flatMap(([, own]) => own);
        const sound = soundRows(source, all, released).map(({ row: one }) => one);
        const newest = Math.max(-Infinity, ...sound.map(({ at }) => at as Micros));
        seen = { rows: sound, boundary: pushes === 'keep' ? -Infinity : newest };
        await expectTrainingSet(world, counted());
      }
    }
    await expectOnline(world, counted());
  }
}

function contentOfJson(source: SourceSpec, text: string): string {
  const { shop = null, at, price = null } = JSON.parse(text) as { shop?: string; at: string; price?: number | string };
  return contentOf(source, { shop, at: Date.parse(at) * 1000, price: typeof price === 'string' ? Number.NaN : price });
}

function expectedOf(world: PushesWorld, rows: readonly Row[], shop: string): readonly Value[] {
  const values = oracleView({ manifest: world.manifest, rows: { sales: rows } }, 'sold', [shop], NOW);
  return values.slice(0, 2);
}

async function expectOnline(world: PushesWorld, rows: readonly Row[]): Promise<void> {
  for (const shop of SHOPS) {
    const { count, sum } = await world.read(shop);
    expectSame([count, sum], expectedOf(world, rows, shop));
  }
}

async function expectTrainingSet(world: PushesWorld, rows: readonly Row[]): Promise<void> {
  for (const { shop, sold__count, sold__sum } of (await shopTrainingSet(world, SHOPS)).rows)
    expectSame([sold__count as Value, sold__sum as Value], expectedOf(world, rows, shop as string));
}

function expectSame(found: readonly Value[], expected: readonly Value[]): void {
  const isSame = found.every((value, i) =>
    sameValue(TYPES[i === 0 ? 'int64' : 'float64'], value, expected[i] as Value),
  );
  if (!isSame) expect(found).toEqual(expected);
}

// What rules that set rows apart leave at each moment: files grow as their rows become known, rows are pushed and put back, and
// what was read online then is what a naive reading of the rows in order of arrival gives, and what a training set made at the
// end says of that moment: nothing that came later, a release neither, shows in it.

import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { releaseQuarantined } from '../../src/control/index.ts';
import { MICROS_PER_MINUTE, type Micros, type Row, type Value } from '../../src/core/index.ts';
import type { Expectation, SourceSpec } from '../../src/definitions/index.ts';
import { auditTrainingSet, createTrainingSet, quarantinedFileRows } from '../../src/offline/index.ts';
import { asJson, NOW, openPushesWorld, type PushesWorld, shopManifest } from '../support/materialize-pushes.ts';
import { fields, readParquet, TYPES, writeParquet } from '../support/offline-world.ts';
import { lmdb } from '../support/online-stores.ts';
import { breaksValueRule, contentOf, type SoundRow, soundRows } from '../support/quarantine-oracle.ts';
import { runs } from '../support/tier.ts';

const { string, timestamp, int64, float64 } = TYPES;
const COLUMNS = fields({ shop: string, at: timestamp, id: int64, price: float64, known: timestamp });
const SHOPS = ['a', 'b'];
const UNIQUE: Expectation = { rule: 'unique', columns: ['id'], onFail: 'quarantine' };
const BETWEEN: Expectation = { rule: 'between', column: 'price', min: 0, max: 5, onFail: 'quarantine' };
const STEP_MINUTES = 10;
const row = fc.record({
  shop: fc.constantFrom(...SHOPS),
  minute: fc.integer({ min: 0, max: 40 }),
  lag: fc.constantFrom(0, 0, 5, 15, 25),
  id: fc.constantFrom(1n, 1n, 1n, 2n, null),
  price: fc.constantFrom(1, 2, 3, 7, -1),
});
type Drawn = typeof row extends fc.Arbitrary<infer T> ? T : never;
const step = fc.record({
  pushed: fc.array(
    fc.record({ shop: fc.constantFrom(...SHOPS), price: fc.constantFrom(1, 9), isStated: fc.boolean() }),
    { maxLength: 3 },
  ),
  releases: fc.constantFrom(0, 0.5, 1),
});

const minutes = (n: number): Micros => NOW + n * MICROS_PER_MINUTE;
const fileRow = ({ shop, minute, lag, id, price }: Drawn): Row => {
  return { shop, at: minutes(minute), id, price, known: minutes(minute + lag) };
};

/** Count and sum of a shop at a time. */
function valuesAt(facts: readonly SoundRow[], shop: string, at: Micros): Value[] {
  const isKnown = (known: Micros | null): boolean => known !== null && known <= at;
  const own = facts.filter(
    ({ row: one, knownMicros }) => one['shop'] === shop && isKnown(knownMicros) && (one['at'] as Micros) <= at,
  );
  const sum = own.reduce((total, { row: one }) => total + (one['price'] as number), 0);
  return [BigInt(own.length), own.length === 0 ? null : sum];
}

async function trainedAt({ deps, directory }: PushesWorld, asked: readonly Row[]) {
  const connection = await deps.duckdb.connect();
  try {
    await writeParquet(connection, join(directory, 'spine.parquet'), fields({ shop: string, when: timestamp }), asked);
    const out = join(directory, 'set.parquet');
    const request = { service: 'all', spine: 'spine.parquet', directory, timestamp: 'when', labels: [], out };
    const { id } = await createTrainingSet(deps, { ...request, boundary: 'at' });
    expect(await auditTrainingSet(deps, id)).toMatchObject({ isClean: true });
    const read = await readParquet(connection, out, fields({ sold__count: int64, sold__sum: float64 }));
    return read.map((one) => [one['sold__count'] ?? null, one['sold__sum'] ?? null]);
  } finally {
    connection.closeSync();
  }
}

it('is what was read online at each moment, whatever became known or was put back later', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom([UNIQUE], [UNIQUE, BETWEEN], [BETWEEN]),
      fc.array(row, { minLength: 4, maxLength: 10 }),
      fc.array(step, { minLength: 4, maxLength: 4 }),
      async (rules, drawn, steps) => {
        const more: Partial<SourceSpec> = {
          columns: COLUMNS,
          expect: rules,
          pushes: 'keep',
          knownTime: { kind: 'column', column: 'known' },
        };
        const world = await openPushesWorld(
          lmdb,
          {},
          { columns: COLUMNS, manifest: (path) => shopManifest(path, more) },
        );
        try {
          await check(world, drawn.map(fileRow), steps);
        } finally {
          await world.close();
        }
      },
    ),
    { numRuns: runs(60) },
  );
}, 240_000);

async function check(
  world: PushesWorld,
  rows: readonly Row[],
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
): Promise<void> {
  const released = new Map<string, Micros>();
  const pushed: SoundRow[] = [];
  const held: Row[] = [];
  const ingestion = world.openIngestion();
  const source = world.manifest.sources['sales'] as SourceSpec;
  const asked: Row[] = [];
  const seen: (readonly Value[])[] = [];
  const expected: (() => Value[])[] = [];
  for (const [i, { pushed: some, releases }] of steps.entries()) {
    const now = (world.clock.now = minutes((i + 1) * STEP_MINUTES));
    await world.file(
      'sales.parquet',
      rows.filter(({ known }) => (known as Micros) <= now),
    );
    for (const { shop, price, isStated } of some) {
      const one: Row = { shop, at: now - MICROS_PER_MINUTE, id: null, price, known: isStated ? now : null };
      await ingestion.push('sales', [asJson(COLUMNS, one)]);
      if (breaksValueRule(source, one)) held.push(one);
      else pushed.push({ row: one, knownMicros: now });
    }
    const inFiles = await quarantinedFileRows(world.deps, source, 100);
    const inLog = await world.quarantine.rows('sales');
    const chosen = [inFiles, inLog].map((all) => all.slice(0, Math.ceil(all.length * releases)).map(({ id }) => id));
    const ids = chosen.flat();
    if (ids.length > 0) {
      for (const { id, row: text } of inFiles) {
        const content = contentOf(source, parsed(text));
        if (ids.includes(id) && !released.has(content)) released.set(content, now);
      }
      await releaseQuarantined(
        { offline: world.deps, quarantine: world.quarantine, ingestion: async () => ingestion },
        { source: 'sales', ids, by: 'test', reason: null },
      );
      for (const { id, row: text } of inLog) {
        if (!ids.includes(id)) continue;
        const one = parsed(text);
        const at = held.findIndex((each) => contentOf(source, each) === contentOf(source, one));
        pushed.push(...held.splice(at, 1).map((each) => ({ row: each, knownMicros: now })));
      }
    }
    await world.run();
    for (const shop of SHOPS) {
      const { count, sum } = await world.read(shop, now);
      asked.push({ shop, when: now });
      seen.push([count, sum]);
      const then = [...pushed];
      expected.push(() => valuesAt([...soundRows(source, rows, released), ...then], shop, now));
    }
  }
  await ingestion.close();
  // What came after a moment does not show at it: the oracle knows all of it.
  expect(seen).toEqual(expected.map((of) => of()));
  expect(await trainedAt(world, asked)).toEqual(seen);
}

function parsed(text: string): Row {
  const { shop, at, id = null, price, known = null } = JSON.parse(text);
  const micros = (time: string | null) => (time === null ? null : Date.parse(time) * 1000);
  return { shop, at: micros(at), id: id === null ? null : BigInt(id), price, known: micros(known) };
}

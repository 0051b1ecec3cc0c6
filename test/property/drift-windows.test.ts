// Windows and bins of drift against a naive count over the raw rows: whatever comes when, late or together, in units or rows.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { comparedCounts, type FeatureReference } from '../../src/monitoring/drift/reference.ts';
import { planWindows } from '../../src/monitoring/drift/plan-windows.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { DAY, type DriftWorld, HOUR, openDriftWorld, type ServedRow, START } from '../support/drift-world.ts';
import { runs } from '../support/tier.ts';

const inWorld = async (work: (world: DriftWorld) => Promise<void>): Promise<void> => {
  const database = await openDatabase('sqlite::memory:');
  const world = await openDriftWorld(database);
  try {
    await work(world);
  } finally {
    await world.close();
    await database.close();
  }
};

const amount = fc.option(
  fc.oneof(
    fc.integer({ min: 0, max: 6 }),
    fc.double({ min: -1e3, max: 1e3, noNaN: true }),
    fc.constantFrom(NaN, 0, -0, 1e300),
  ),
  { freq: 8 },
);
const city = fc.option(fc.constantFrom('Bern', 'Zug', "l'Aquila", 'Basel', '', 'Ω'), { freq: 8 });

/** As the reference is defined: the quantile at rank ⌈qn⌉ of what is there, different ones, ascending. */
function naiveEdges(values: readonly (number | null)[]): { fine: number[]; coarse: number[] } {
  const finite = values.filter((one) => one !== null && Number.isFinite(one)) as number[];
  const sorted = finite.map((one) => (one === 0 ? 0 : one)).sort((a, b) => a - b);
  if (sorted.length === 0) return { fine: [], coarse: [] };
  const at = (i: number): number => sorted[Math.max(0, Math.ceil((i * sorted.length) / 50) - 1)] as number;
  const all = Array.from({ length: 49 }, (_, i) => at(i + 1));
  return { fine: [...new Set(all)], coarse: [...new Set(all.filter((_, i) => (i + 1) % 5 === 0))] };
}

const naiveBin = (edges: readonly number[], value: number): number => {
  const found = edges.findIndex((edge) => value <= edge);
  return found < 0 ? edges.length : found;
};

it('a reference holds the training set’s rows by quantile or value, and by day', async () => {
  const trained = fc.record({ day: fc.integer({ min: 0, max: 4 }), amount, city });
  await fc.assert(
    fc.asyncProperty(fc.array(trained, { minLength: 1, maxLength: 80 }), (rows) =>
      inWorld(async (world) => {
        const id = `set-${Math.random()}`;
        const set = rows.map(({ day, ...row }) => ({ ...row, clicks: null, at: START + day * DAY + 5 }));
        await world.train(id, set);
        await world.serve(served(300, () => ({ amount: 1, city: 'Bern' })));
        world.now = START + 2 * HOUR;
        await world.run();
        const reference = await world.store.reference(id);
        const find = (name: string) => reference?.features.find((one) => one.name === name) as FeatureReference;
        const { fine, coarse } = naiveEdges(rows.map((row) => row.amount));
        const own = find('amount');
        expect(own.edges).toEqual(fine);
        const counts = new Array<number>(fine.length + 2).fill(0);
        for (const row of rows) counts[row.amount === null ? fine.length + 1 : naiveBin(fine, row.amount)]!++;
        expect(own.counts).toEqual(counts);
        const days = [...new Set(rows.map(({ day }) => day))].sort();
        const byDay = days.map((day) => {
          const of = new Array<number>(coarse.length + 2).fill(0);
          for (const row of rows)
            if (row.day === day) of[row.amount === null ? coarse.length + 1 : naiveBin(coarse, row.amount)]!++;
          return of;
        });
        expect(own.days).toEqual(byDay);
        const cities = find('city');
        const times = new Map<string | null, number>();
        for (const row of rows) times.set(row.city, (times.get(row.city) ?? 0) + 1);
        expect(cities.counts).toEqual([...cities.categories.map((one) => times.get(one)), 0, times.get(null) ?? 0]);
        expect(new Set(cities.known)).toEqual(new Set(times.keys().filter((one) => one !== null)));
      }),
    ),
    { numRuns: runs(12) },
  );
});

const served = (count: number, row: (i: number) => Partial<ServedRow>, from = START): ServedRow[] =>
  Array.from({ length: count }, (_, i) => ({ at: from + i, amount: 1, city: 'Bern', ...row(i) }));

const STATUSES = ['PRESENT', 'NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_MAX_AGE', 'INVALID'];

it('a window holds the log’s rows by the same bins, each unit once, and tells apart why there is none', async () => {
  const served = fc.record({
    unit: fc.constantFrom('', 'a', 'b', 'c'),
    amount,
    city,
    statuses: fc.tuple(fc.constantFrom(...STATUSES), fc.constantFrom(...STATUSES), fc.constantFrom(...STATUSES)),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(served, { minLength: 1, maxLength: 60 }),
      fc.array(fc.record({ amount, city }), { minLength: 5, maxLength: 40 }),
      fc.boolean(),
      fc.boolean(),
      (rows, trained, hasUnits, isCompacted) =>
        inWorld(async (world) => {
          const id = `set-${Math.random()}`;
          const set = trained.map((row) => ({ ...row, clicks: 1, at: START }));
          await world.train(id, set);
          world.hasUnits = hasUnits;
          const others = { amount: 2, city: 'Zug', clicks: 3 };
          const all: ServedRow[] = [
            ...rows.map((row, i) => ({ ...row, clicks: row.amount, at: START + i })),
            ...Array.from({ length: 300 }, (_, i) => ({ ...others, unit: `u${i}`, at: START + 1000 + i })),
          ];
          await world.serve(all);
          world.now = START + 25 * HOUR;
          if (isCompacted) await world.compact();
          await world.run();
          const windows = await world.store.windows('shop', HOUR, 0);
          const own = windows.filter((one) => one.reference === id);
          const reference = (await world.store.reference(id))!;
          expect(own).toHaveLength(3);
          const keys = all.map(({ unit }, i) => (hasUnits && unit !== '' ? unit : i));
          const weight = (i: number): number => 1 / keys.filter((key) => key === keys[i]).length;
          for (const [place, name] of ['amount', 'city', 'clicks'].entries()) {
            const feature = reference.features.find((one) => one.name === name) as FeatureReference;
            const naive = { bins: new Array<number>(feature.counts.length - 1).fill(0), absent: 0, invalid: 0 };
            const tally = { rows: 0, missing: 0, nulls: 0, empty: 0 };
            all.forEach((row, i) => {
              const value = [row.amount, row.city, row.clicks ?? null][place] ?? null;
              const status = row.statuses?.[place] ?? (value === null ? 'NULL_VALUE' : 'PRESENT');
              if (value === null && status === 'PRESENT') return;
              tally.rows++;
              if (['NOT_FOUND', 'OUTSIDE_MAX_AGE', 'INVALID'].includes(status)) tally.missing++;
              else if (status === 'NULL_VALUE') tally[name === 'clicks' ? 'empty' : 'nulls']++;
              if (status === 'INVALID') naive.invalid += weight(i);
              else if (value === null) naive.absent += weight(i);
              else {
                const found =
                  typeof value === 'number' ? naiveBin(feature.edges, value) : feature.categories.indexOf(value);
                naive.bins[found < 0 ? feature.categories.length : found]! += weight(i);
              }
            });
            const window = own.find((one) => one.feature === name)!;
            const of = { from: START, to: START + HOUR, rows: all.length, units: new Set(keys).size };
            expect(window).toMatchObject(of);
            expect(window.counts).toMatchObject(tally);
            naive.bins.forEach((count, bin) => expect(window.counts.bins[bin]).toBeCloseTo(count, 6));
            expect(window.counts.absent).toBeCloseTo(naive.absent, 6);
            expect(window.counts.invalid).toBeCloseTo(naive.invalid, 6);
            const { ref, cur } = comparedCounts(feature, window.counts);
            expect(ref.length).toBe(cur.length);
            expect(ref.every((count, bin) => count + (cur[bin] ?? 0) > 0)).toBe(true);
          }
        }),
    ),
    { numRuns: runs(12) },
  );
});

it('slots are joined until there is enough, and each row is in one window at most', () => {
  const slot = fc.record({
    gap: fc.integer({ min: 0, max: 3 }),
    units: fc.integer({ min: 1, max: 700 }),
    shared: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(slot, { maxLength: 30 }), (given) => {
      let at = 0;
      const slots = given.map(({ gap, units, shared }, i) => {
        at += 1 + gap;
        const keys = Array.from({ length: units }, (_, u) => (shared ? `u${u}` : `${i}/${u}`));
        return { from: at * HOUR, rows: units * 2, units, unitKeys: units < 300 ? keys : null, keys };
      });
      const { windows, waiting } = planWindows(slots, HOUR);
      // Naively: from each window's beginning the first slot at which enough different units have come.
      const expected: { from: number; to: number; rows: number }[] = [];
      let open: typeof slots = [];
      for (const one of slots) {
        open.push(one);
        const enough = new Set(open.flatMap(({ keys }) => keys)).size >= 300;
        const single = one.units >= 300;
        if (!enough && !single) continue;
        const rows = open.reduce((sum, own) => sum + own.rows, 0);
        expected.push({ from: open[0]!.from, to: one.from + HOUR, rows });
        open = [];
      }
      expect(windows).toEqual(expected);
      expect(waiting?.rows ?? 0).toBe(open.reduce((sum, { rows }) => sum + rows, 0));
    }),
  );
});

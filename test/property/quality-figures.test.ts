// Figures of quality against a naive count over the raw rows, pair by pair, whatever the scores, ties and outcomes; and slices
// that are bad on purpose are found, while none is where there is nothing to find.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { measureDays } from '../../src/monitoring/quality/measure.ts';
import { worstSegments } from '../../src/monitoring/quality/segments.ts';
import { worldOfAll } from '../support/offline-world.ts';
import { createRandom } from '../support/chance.ts';
import { runs } from '../support/tier.ts';

const world = worldOfAll();

interface Row {
  readonly day: number;
  readonly score: number;
  /** Null: not known. */
  readonly y: number | null;
  readonly request?: object;
  readonly features?: object;
}

async function load(rows: readonly Row[]): Promise<void> {
  await world.select(
    'CREATE OR REPLACE TEMP TABLE quality_rows (day DOUBLE, score DOUBLE, label VARCHAR, y DOUBLE, truth VARCHAR, known BOOLEAN, request JSON, features JSON)',
  );
  const appender = await world.connection.createAppender('quality_rows');
  for (const { day, score, y, request = {}, features = {} } of rows) {
    appender.appendDouble(day);
    appender.appendDouble(score);
    appender.appendVarchar(score >= 0.5 ? '1' : '0');
    if (y === null) for (let i = 0; i < 2; i++) appender.appendNull();
    else {
      appender.appendDouble(y);
      appender.appendVarchar(String(y));
    }
    appender.appendBoolean(y !== null);
    appender.appendVarchar(JSON.stringify(request));
    appender.appendVarchar(JSON.stringify(features));
    appender.endRow();
  }
  appender.closeSync();
}

const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
/** Of a pair whose first is so, and the other not. */
const rightness = (a: { readonly score: number }, b: { readonly score: number }) =>
  a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0;
const score = fc.oneof(fc.constantFrom(0, 0.25, 0.5, 1), fc.double({ min: 0, max: 1, noNaN: true }));

describe('figures', () => {
  it('of chances are those of every pair and every row', async () => {
    const row = fc.record({
      day: fc.integer({ min: 5, max: 6 }),
      score,
      y: fc.option(fc.constantFrom(0, 1), { freq: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 30 }), async (rows) => {
        await load(rows);
        const measured = await measureDays(world.connection, 'chance');
        for (const one of measured) {
          const all = rows.filter(({ day }) => day === one.day);
          const known = all.filter(({ y }) => y !== null) as { score: number; y: number }[];
          expect(one).toMatchObject({ rows: all.length, labelled: known.length });
          const { figures, estimated, calibration } = one;
          const pairs = known.flatMap((a) => known.flatMap((b) => (a.y === 1 && b.y === 0 ? [rightness(a, b)] : [])));
          if (pairs.length === 0) expect(figures.auc ?? null).toBe(null);
          else expect(figures.auc).toBeCloseTo(mean(pairs), 9);
          if (known.length > 0) {
            const clip = (p: number) => Math.min(1 - 1e-15, Math.max(1e-15, p));
            const loss = mean(known.map(({ score: s, y }) => -Math.log(clip(y === 1 ? s : 1 - s))));
            expect(figures.log_loss).toBeCloseTo(loss, 2 - Math.ceil(Math.log10(1 + loss)));
            expect(figures.brier).toBeCloseTo(mean(known.map(({ score: s, y }) => (s - y) ** 2)), 9);
            const right = known.map(({ score: s, y }) => Number((s >= 0.5 ? 1 : 0) === y));
            expect(figures.accuracy).toBeCloseTo(mean(right), 9);
            expect(calibration.reduce((sum, bin) => sum + bin.rows, 0)).toBe(known.length);
            const bins = Map.groupBy(known, ({ score: s }) => Math.min(9, Math.floor(s * 10)));
            const gap = [...bins.values()].map(
              (bin) => bin.length * Math.abs(mean(bin.map((r) => r.score)) - mean(bin.map((r) => r.y))),
            );
            expect(figures.calibration_error).toBeCloseTo(gap.reduce((a, b) => a + b, 0) / known.length, 9);
          }
          // Each pair of different rows, the one so and the other not.
          let [ways, right] = [0, 0];
          all.forEach((a, i) =>
            all.forEach((b, j) => {
              if (i === j) return;
              const weight = a.score * (1 - b.score);
              ways += weight;
              right += weight * rightness(a, b);
            }),
          );
          expect(estimated?.accuracy).toBeCloseTo(mean(all.map(({ score: s }) => Math.max(s, 1 - s))), 9);
          expect(estimated?.brier).toBeCloseTo(mean(all.map(({ score: s }) => s * (1 - s))), 9);
          if (ways > 1e-6) expect(estimated?.auc).toBeCloseTo(right / ways, 6);
        }
      }),
      { numRuns: runs(60) },
    );
  });

  it('of numbers are those of every row', async () => {
    const row = fc.record({
      day: fc.constant(3),
      score: fc.double({ min: -1e3, max: 1e3, noNaN: true }),
      y: fc.option(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { freq: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 30 }), async (rows) => {
        await load(rows);
        const [one] = await measureDays(world.connection, 'number');
        const off = rows.flatMap(({ score: s, y }) => (y === null ? [] : [s - y]));
        if (off.length === 0) {
          expect(one?.figures).toEqual({});
          return;
        }
        expect(one?.figures.mae).toBeCloseTo(mean(off.map(Math.abs)), 6);
        expect(one?.figures.rmse).toBeCloseTo(Math.sqrt(mean(off.map((each) => each ** 2))), 6);
        expect(one?.figures.bias).toBeCloseTo(mean(off), 6);
      }),
      { numRuns: runs(40) },
    );
  });
});

describe('slices', () => {
  const random = createRandom(11).next;
  const rows = (isBad: (request: { city: string; age: number; device: string }) => boolean): Row[] =>
    Array.from({ length: 3000 }, () => {
      const request = {
        city: ['Bern', 'Zug', 'Basel', 'Chur'][Math.floor(random() * 4)] as string,
        device: random() < 0.5 ? 'phone' : 'desk',
        age: Math.floor(random() * 80),
      };
      const p = 0.1 + 0.8 * random();
      const y = random() < p ? 1 : 0;
      // A bad one says the opposite.
      return { day: 1, score: isBad(request) ? 1 - p : p, y, request };
    });
  const predicted = { task: 'chance', score: 'probability', label: null } as const;

  it('that are bad come first, pairs too, and quarters of numbers', async () => {
    await load(rows(({ city }) => city === 'Zug'));
    const byCity = await worstSegments(world.connection, predicted);
    expect(byCity?.of).toBe('brier excess');
    expect(byCity?.worst[0]?.where['request.city']).toBe('Zug');
    expect(byCity?.worst[0]?.q).toBeLessThan(1e-6);
    await load(rows(({ city, device }) => city === 'Bern' && device === 'phone'));
    const pair = { 'request.city': 'Bern', 'request.device': 'phone' };
    expect((await worstSegments(world.connection, predicted))?.worst[0]?.where).toEqual(pair);
    await load(rows(({ age }) => age >= 60));
    expect((await worstSegments(world.connection, predicted))?.worst[0]?.where['request.age']).toBe('q4');
  });

  it('are not those whose scores are honest about how hard they are', async () => {
    // In Basel nobody can tell; in Zug the scores say more than they know.
    const harder = rows(() => false).map((row) => {
      const { city } = row.request as { readonly city: string };
      if (city === 'Basel') return { ...row, score: 0.45 + 0.1 * random(), y: random() < 0.5 ? 1 : 0 };
      const p = row.score;
      return city === 'Zug' ? { ...row, score: p < 0.5 ? p * p : 1 - (1 - p) ** 2 } : row;
    });
    await load(harder);
    const segments = await worstSegments(world.connection, predicted);
    expect(segments?.worst[0]?.where).toEqual({ 'request.city': 'Zug' });
    expect(segments?.worst.filter(({ where }) => where['request.city'] === 'Basel')).toEqual([]);
  });

  it('are told once where a feature hands a request column on', async () => {
    const handedOn = rows(({ city, device }) => city === 'Zug' && device === 'phone').map((row) => {
      const { city, device } = row.request as { readonly city: string; readonly device: string };
      return { ...row, features: { basket__city: city.toUpperCase(), basket__is_phone: device === 'phone' ? 1 : 0 } };
    });
    await load(handedOn);
    const segments = await worstSegments(world.connection, predicted);
    expect(segments?.worst[0]?.where).toEqual({ 'request.city': 'Zug', 'request.device': 'phone' });
    const named = new Set(segments?.worst.flatMap(({ where }) => Object.keys(where)));
    expect([...named].filter((name) => name.startsWith('features.'))).toEqual([]);
  });

  it('are mostly none where none is bad, and shrink towards the rest', async () => {
    let found = 0;
    for (let i = 0; i < 5; i++) {
      await load(rows(() => false));
      const segments = await worstSegments(world.connection, predicted);
      expect(segments?.tested).toBeGreaterThan(10);
      for (const { effect, shrunk } of segments?.worst ?? [])
        expect(Math.abs(shrunk)).toBeLessThanOrEqual(Math.abs(effect));
      found += segments?.worst.length ?? 0;
    }
    expect(found).toBeLessThanOrEqual(1);
  });

  it('are of scores while outcomes are few, and none of few rows', async () => {
    const unknown = rows(() => false).map((row) => {
      const { city } = row.request as { readonly city: string };
      return { ...row, y: null, score: city === 'Zug' ? 0.9 : 0.5 - random() * 0.1 };
    });
    await load(unknown);
    const segments = await worstSegments(world.connection, predicted);
    expect(segments).toMatchObject({ of: 'score', rows: 3000 });
    expect(segments?.worst[0]?.where['request.city']).toBe('Zug');
    await load(rows(() => false).slice(0, 200));
    expect(await worstSegments(world.connection, predicted)).toBe(null);
  });
});

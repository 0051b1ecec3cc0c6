// Points and their slots against a search through all events, with pieces of points, and more events than a bucket holds.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPointSlots, type EventNumbers } from '../../src/offline/duckdb/point-slots.ts';
import { runs } from '../support/tier.ts';

interface Point {
  readonly key: number;
  readonly time: number;
}
interface Event {
  readonly key: number;
  readonly event: number;
  readonly known: number;
}

const point = fc.record({ key: fc.integer({ min: 0, max: 4 }), time: fc.integer({ min: 0, max: 12 }) });
const event = fc
  .record({ key: fc.integer({ min: 0, max: 4 }), event: fc.integer({ min: 0, max: 12 }), lag: fc.nat({ max: 5 }) })
  .map(({ key, event: at, lag }): Event => ({ key, event: at, known: at + lag }));

function columnsOf(events: readonly (Event & { readonly row: number })[]): EventNumbers {
  return {
    keys: Int32Array.from(events, ({ key }) => key),
    known: Float64Array.from(events, ({ known }) => known),
    events: Float64Array.from(events, ({ event: at }) => at),
    rows: Float64Array.from(events, ({ row }) => row),
  };
}

/** Rows of the events that are the greatest by (event, known) of those seen at a point; several where they tie. */
function greatest(events: readonly Event[], { key, time }: Point, ttl: number, boundary: 'at' | 'before'): number[] {
  const seen = [...events.entries()].filter(
    ([, e]) => e.key === key && e.event >= time - ttl && (boundary === 'at' ? e.known <= time : e.known < time),
  );
  const most = seen.reduce(
    (best, [, e]) => {
      return e.event > best.event || (e.event === best.event && e.known > best.known) ? e : best;
    },
    { event: -1, known: -1 },
  );
  return seen.filter(([, e]) => e.event === most.event && e.known === most.known).map(([row]) => row);
}

function findAll(
  points: readonly Point[],
  events: readonly Event[],
  ttl: number,
  boundary: 'at' | 'before',
  mostPoints: number,
): { rows: Map<number, number>; tied: Set<number> } {
  const sorted = [...points.entries()].sort(([, a], [, b]) => a.key - b.key || a.time - b.time);
  const rows = new Map<number, number>();
  const tied = new Set<number>();
  for (let from = 0; from < sorted.length; from += mostPoints) {
    const piece = sorted.slice(from, from + mostPoints);
    const keys = Int32Array.from(piece, ([, { key }]) => key);
    const times = Float64Array.from(piece, ([, { time }]) => time);
    const slots = createPointSlots({ keys, times, spineRows: Float64Array.from(piece, ([i]) => i) }, ttl, boundary);
    const [first, last] = [keys[0] as number, keys.at(-1) as number];
    const within = events.map((one, row) => ({ ...one, row })).filter(({ key }) => key >= first && key <= last);
    for (let at = 0; at < within.length; at += 7) slots.add(columnsOf(within.slice(at, at + 7)));
    const found = slots.winners();
    for (let i = 0; i < found.size; i++) rows.set(found.spineRows[i] as number, found.rows[i] as number);
    for (const tie of found.ties) {
      tied.add(tie.row);
      expect(events[tie.row]).toEqual({ key: tie.key, event: tie.event, known: tie.known });
    }
  }
  return { rows, tied };
}

describe('points in memory', () => {
  it('each see the greatest event of those visible, in whatever pieces, and know of ties', () => {
    fc.assert(
      fc.property(
        fc.array(point, { minLength: 1, maxLength: 30 }),
        fc.array(event, { maxLength: 60 }),
        fc.constantFrom(0, 2, 5, Infinity),
        fc.constantFrom('at' as const, 'before' as const),
        fc.integer({ min: 1, max: 30 }),
        (points, events, ttl, boundary, mostPoints) => {
          const { rows, tied } = findAll(points, events, ttl, boundary, mostPoints);
          for (const [i, one] of points.entries()) {
            const expected = greatest(events, one, ttl, boundary);
            const row = rows.get(i);
            expect(row === undefined ? expected : expected.includes(row)).toEqual(row === undefined ? [] : true);
            if (row !== undefined) expect(tied.has(row)).toBe(expected.length > 1);
          }
        },
      ),
      { numRuns: runs(500) },
    );
  });

  it('see the same when buckets fill many times over', () => {
    const random = fc.sample(fc.tuple(fc.nat({ max: 2999 }), fc.nat({ max: 999 }), fc.nat({ max: 99 })), {
      numRuns: 20_000,
      seed: 7,
    });
    const points = random.slice(0, 5000).map(([key, time]): Point => ({ key, time }));
    const events = random.map(
      ([key, at, lag], i): Event => ({ key: i % 3 === 0 ? 5 : key, event: at, known: at + lag }),
    );
    const { rows } = findAll(points, events, 300, 'at', 5000);
    const byKey = Map.groupBy(events.entries(), ([, { key }]) => key);
    for (const [i, one] of points.entries()) {
      const own = byKey.get(one.key) ?? [];
      const expected = greatest(
        own.map(([, e]) => e),
        one,
        300,
        'at',
      ).map((at) => own[at]?.[0]);
      const row = rows.get(i);
      if (row === undefined) expect(expected).toEqual([]);
      else expect(expected).toContain(row);
    }
    expect(rows.size).toBeGreaterThan(runs(1000));
  });
});

// Items that were edited between any prefixes of their tasks: each task is of the item that it was begun for, or of none.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson } from '../../src/core/index.ts';
import { countItems, itemAt, type ItemList, openPlaces, placeAnew } from '../../src/orchestrator/placement.ts';
import { runs } from '../support/tier.ts';

/** Few values, so that many are equal. */
const value = fc.constantFrom<unknown>(0, -0, 1, 2, '1', null, true, { a: 1, b: [2] }, { b: [2], a: 1 });
const values = fc.array(value, { maxLength: 6 });
const lists: fc.Arbitrary<ItemList> = fc.oneof(
  fc.constant({}),
  values.map((items): ItemList => ({ foreach: { kind: 'items', items } })),
  values.map((over): ItemList => ({ foreach: { kind: 'result', of: 's' }, over })),
  fc
    .tuple(fc.integer({ min: -2, max: 3 }), fc.nat(6))
    .map(([start, count]): ItemList => ({ foreach: { kind: 'range', start, end: start + count } })),
  fc
    .record({ lr: fc.array(value, { maxLength: 3 }), depth: fc.array(value, { maxLength: 3 }) })
    .map((axes): ItemList => ({ foreach: { kind: 'grid', axes } })),
);

const textAt = (list: ItemList, place: number): string =>
  list.foreach === undefined ? 'no item' : canonicalJson(itemAt(list, place) ?? null);
/** An item, and how many equal ones lie before it. */
const namesOf = (list: ItemList): string[] => {
  const texts = Array.from({ length: countItems(list) }, (_, place) => textAt(list, place));
  return texts.map((text, place) => `${text} ${texts.slice(0, place).filter((one) => one === text).length}`);
};

it('keeps of equal items the n-th task for the n-th, and gives each other item a number that none has had', () => {
  fc.assert(
    fc.property(
      lists,
      fc.array(fc.record({ list: lists, begun: fc.nat(100), isMadeAnew: fc.nat(9).map((n) => n === 0) }), {
        maxLength: 4,
      }),
      (first, edits) => {
        let now = first;
        let end = countItems(first);
        let begun = 0;
        /** By number, what each task was begun for. */
        const began: string[] = [];
        for (const { list, begun: more, isMadeAnew } of edits) {
          const { numberAt } = openPlaces(now.placement);
          const names = namesOf(now);
          for (const [place, name] of names.entries()) began[numberAt(place)] = name;
          begun = Math.min(end, begun + (more % (end - begun + 1)));
          began.length = Math.min(began.length, begun);
          const current = new Set(names.map((_, place) => numberAt(place)).filter((number) => number < begun));
          const placed = placeAnew(now, begun, list, isMadeAnew);
          const places = openPlaces(placed.placement);
          const wanted = namesOf(list);
          const numbers = wanted.map((_, place) => places.numberAt(place));
          const keepable = isMadeAnew
            ? []
            : wanted.filter((name) => [...current].some((number) => began[number] === name));
          expect(placed.children).toBe(wanted.length);
          expect(placed.end).toBe(begun + placed.counts.fresh);
          expect(new Set(numbers).size).toBe(wanted.length);
          expect(numbers.map(places.placeOf)).toEqual(wanted.map((_, place) => place));
          for (const [place, number] of numbers.entries())
            if (number < begun) expect([number, began[number]]).toEqual([number, wanted[place]]);
            else expect(number).toBeLessThan(placed.end);
          expect(numbers.filter((number) => number < begun)).toHaveLength(keepable.length);
          const dropped = placed.dropped.flatMap(([from, count]) =>
            Array.from({ length: count }, (_, at) => from + at),
          );
          expect(dropped).toEqual([...current].filter((number) => !numbers.includes(number)).sort((a, b) => a - b));
          expect(dropped.map(places.placeOf)).toEqual(dropped.map(() => undefined));
          expect(placed.counts).toEqual({
            kept: keepable.length,
            fresh: wanted.length - keepable.length,
            dropped: dropped.length,
          });
          now = { ...list, placement: placed.placement };
          end = placed.end;
        }
      },
    ),
    { numRuns: runs(3000) },
  );
});

it('lists neither a range nor a grid whole', () => {
  const axis = Array.from({ length: 1000 }, (_, at) => at);
  const grid = (...more: readonly number[]): ItemList => ({
    foreach: { kind: 'grid', axes: { a: [...more, ...axis], b: axis, c: axis } },
  });
  expect(placeAnew(grid(), 2, grid(-1))).toMatchObject({ counts: { kept: 2, fresh: 1_000_999_998, dropped: 0 } });
  const range = (start: number): ItemList => ({ foreach: { kind: 'range', start, end: 2 ** 31 - 1 } });
  const { placement, ...placed } = placeAnew(range(0), 3, range(1));
  expect(placed).toMatchObject({ dropped: [[0, 1]], end: 2 ** 31 - 1, counts: { kept: 2, dropped: 1 } });
  expect([0, 1, 2, 3].map(openPlaces(placement).numberAt)).toEqual([1, 2, 3, 4]);
});

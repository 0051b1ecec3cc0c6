import { expect, it } from 'vitest';
import { after, Ending, joined } from '../../src/models/graph/ending.ts';

const noting = (told: string[], name: string) => ({ ended: () => void told.push(name) });

it('calls those who wait once, in their order, and later ones at once', () => {
  const told: string[] = [];
  const ending = new Ending(2);
  ending.whenOver(noting(told, 'a'));
  ending.whenOver(noting(told, 'b'));
  ending.whenOver(noting(told, 'c'));
  ending.ended();
  expect([told, ending.isOver]).toEqual([[], false]);
  ending.ended();
  expect([told, ending.isOver]).toEqual([['a', 'b', 'c'], true]);
  ending.whenOver(noting(told, 'd'));
  expect(told).toEqual(['a', 'b', 'c', 'd']);
});

it('is over once what comes after it is, which may wait itself or be done already', () => {
  const told: string[] = [];
  const [first, second] = [new Ending(1), new Ending(1)];
  const both = after(first, () => {
    told.push('next');
    return second;
  });
  const quick = after(first, () => undefined);
  both.whenOver(noting(told, 'both'));
  quick.whenOver(noting(told, 'quick'));
  expect(both.isOver).toBe(false);
  first.ended();
  expect([told, both.isOver, quick.isOver]).toEqual([['next', 'quick'], false, true]);
  second.ended();
  expect([told, both.isOver]).toEqual([['next', 'quick', 'both'], true]);
  expect(after(first, () => undefined).isOver).toBe(true);
});

it('waits for as many as it is told to, those that are over left out', () => {
  const told: string[] = [];
  const [one, other, over] = [new Ending(1), new Ending(1), new Ending(0)];
  const all = new Ending(1, () => void told.push('next'));
  for (const each of [one, over, other]) all.waitFor(each);
  all.ended();
  one.ended();
  expect(told).toEqual([]);
  other.ended();
  expect([told, all.isOver]).toEqual([['next'], true]);
});

it('joins what is under way alone', () => {
  const [one, other] = [new Ending(1), new Ending(1)];
  expect(joined(undefined, one)).toBe(one);
  expect(joined(one, undefined)).toBe(one);
  expect(joined(one, one)).toBe(one);
  expect(joined(one, new Ending(0))).toBe(one);
  const both = joined(one, other);
  one.ended();
  expect(both?.isOver).toBe(false);
  other.ended();
  expect(both?.isOver).toBe(true);
});

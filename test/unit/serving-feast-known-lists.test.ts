import { expect, it } from 'vitest';
import { createKnownLists } from '../../src/serving/http/feast/known-lists.ts';

it('makes of equal lists the same, and of others another', () => {
  const seen: (readonly unknown[])[] = [];
  const of = createKnownLists((list) => {
    seen.push(list);
    return list.join(' ');
  });
  expect(of(['a', 'b'])).toBe('a b');
  expect(of([...'ab'])).toBe('a b');
  expect(seen).toHaveLength(1);
  for (const other of [['b', 'a'], ['a'], ['a', 'b', 'c'], ['a', 'B'], []]) expect(of(other)).toBe(other.join(' '));
  expect(of(['a', 'b'])).toBe('a b');
  expect(seen).toHaveLength(6);
});

it('forgets the oldest of many, and keeps nothing of a list that is refused', () => {
  let times = 0;
  const of = createKnownLists((list) => {
    times++;
    if (list[0] === 'bad') throw new Error('refused');
    return list;
  });
  expect(() => of(['bad'])).toThrow('refused');
  expect(() => of(['bad'])).toThrow('refused');
  expect(times).toBe(2);
  const first = of(['0']);
  for (let at = 1; at < 8; at++) of([String(at)]);
  expect(of(['0'])).toBe(first);
  of(['8']);
  expect(of(['0'])).not.toBe(first);
});

it('keeps no long list', () => {
  let times = 0;
  const of = createKnownLists(() => times++);
  const long = Array.from({ length: 1001 }, () => 'x');
  of(long);
  of(long);
  of(long.slice(1));
  of(long.slice(1));
  expect(times).toBe(3);
});

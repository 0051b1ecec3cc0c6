import { expect, it } from 'vitest';
import { bucket, unitText } from '../../src/rollouts/bucket.ts';
import { fnv1a } from '../../src/rollouts/fnv.ts';

it('is FNV-1a over UTF-16 code units', () => {
  expect(fnv1a('')).toBe(0x811c9dc5);
  expect(fnv1a('a')).toBe(0xe40c292c);
  expect(fnv1a('foobar')).toBe(0xbf9cf968);
  expect(fnv1a('é')).toBe(1812687940);
});

it('tells units apart that join to one text', () => {
  expect(unitText(['a', 'b,c'])).not.toBe(unitText(['a,b', 'c']));
});

it('gives two seeds independent buckets', () => {
  const units = Array.from({ length: 20_000 }, (_, index) => unitText([String(index)]));
  const both = units.filter((unit) => bucket('one', unit) < 0.5 && bucket('two', unit) < 0.5).length;
  // A quarter, within five standard deviations.
  expect(Math.abs(both - 5000)).toBeLessThan(5 * Math.sqrt(20_000 * 0.25 * 0.75));
});

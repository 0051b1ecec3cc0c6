// The hash that every server must agree on, by its published vectors.

import { expect, it } from 'vitest';
import { bucketOf, bucketOfHash, fnv1a } from '../../src/rollouts/index.ts';

it('is FNV-1a over UTF-16 code units', () => {
  expect(fnv1a('')).toBe(0x811c9dc5);
  expect(fnv1a('a')).toBe(0xe40c292c);
  expect(fnv1a('foobar')).toBe(0xbf9cf968);
  expect(fnv1a('é')).toBe(1812687940);
});

it('gives two seeds independent buckets', () => {
  const units = Array.from({ length: 20_000 }, (_, index) => JSON.stringify([String(index)]));
  const both = units.filter((unit) => bucketOf('one', unit) < 5000 && bucketOf('two', unit) < 5000).length;
  // A quarter, within five standard deviations.
  expect(Math.abs(both - 5000)).toBeLessThan(5 * Math.sqrt(20_000 * 0.25 * 0.75));
});

it('hashes a hash by its digits', () => {
  const hashes = [0, 9, 10, 99, 100, 4294967295, 1812687940, 1_000_000_000, 999_999_999];
  for (let seed = 1; seed <= 5000; seed++) hashes.push(fnv1a(String(seed)));
  for (const hash of hashes) expect(bucketOfHash(hash)).toBe(fnv1a(String(hash)) % 10_000);
  expect(bucketOf('seed', 'ünit')).toBe(fnv1a(String(fnv1a('seedünit'))) % 10_000);
});

// GrowthBook's published cases: `hash` with version 2 in packages/sdk-js/test/cases.json, spec version 0.5.4.
it.each([
  ['seed', 'a', 505],
  ['seed', 'b', 2696],
  ['foo', 'ab', 2575],
  ['foo', 'def', 2019],
  ['89123klj', '8952klfjas09ujkasdf', 1240],
  ['90850943850283058242805', '123', 7516],
  ['()**(%$##$%#$#', '___)((*":&', 128],
  ['feature', '123', 5231],
])('gives seed %j and unit %j bucket %i, as GrowthBook does', (seed, unit, bucket) => {
  expect(bucketOf(seed, unit)).toBe(bucket);
});

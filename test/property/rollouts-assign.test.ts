// Assignment is pure, spreads by weight, and never moves a unit out of a variant that only grows.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assign, bucketOf, fnv1a, isShadowed, layOut } from '../../src/rollouts/index.ts';

const percent = fc.integer({ min: 0, max: 10_000 }).map((hundredths) => hundredths / 100);

describe('assignment', () => {
  it('hashes by FNV-1a over UTF-16 code units', () => {
    expect(fnv1a('é')).toBe(1812687940);
    expect(fnv1a('')).toBe(0x811c9dc5);
    expect(bucketOf('s', 'v')).toBe(fnv1a(String(fnv1a('sv'))) % 10_000);
  });

  it('keeps every unit of a candidate whose weight is raised, whatever the order of listing', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
        percent,
        percent,
        fc.boolean(),
        (salt, unit, a, b, swapped) => {
          const at = (weight: number) => {
            const variants = [
              { name: 'stable', weight: 100 - weight },
              { name: 'candidate', weight },
            ];
            const listed = swapped && weight === Math.max(a, b) ? variants.toReversed() : variants;
            return listed[assign({ salt, variants: listed }, unit)]?.name;
          };
          if (at(Math.min(a, b)) === 'candidate') expect(at(Math.max(a, b))).toBe('candidate');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('lets one of many grow at the cost of the base alone: it keeps its buckets, and so do the others that fit their homes', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(weights, fc.nat(2), fc.nat(10_000), (hundredths, pick, more) => {
        const grower = pick % hundredths.length;
        const free = 10_000 - hundredths.reduce((sum, weight) => sum + weight, 0);
        const grown = hundredths.map((weight, index) => (index === grower ? weight + Math.min(more, free) : weight));
        const before = tableOf(hundredths);
        const after = tableOf(grown);
        before.forEach((variant, bucket) => {
          if (variant === grower + 1) expect(after[bucket]).toBe(grower + 1);
        });
        const home = hundredths.length === 1 ? 10_000 : hundredths.length === 2 ? 5000 : 2500;
        if (grown.some((weight) => weight > home)) return;
        before.forEach((variant, bucket) => {
          if (variant !== 0) expect(after[bucket]).toBe(variant);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('gives every variant exactly its weight in buckets', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 1, maxLength: 5 }), (hundredths) => {
        const counts = new Array<number>(hundredths.length + 1).fill(0);
        for (const variant of tableOf(hundredths)) counts[variant] = (counts[variant] ?? 0) + 1;
        expect(counts.slice(1)).toEqual(hundredths);
      }),
      { numRuns: 60 },
    );
  });

  it('spreads units within four standard errors of the weights, and shadows independently of variants', () => {
    const variants = [
      { name: 'stable', weight: 90 },
      { name: 'candidate', weight: 10 },
    ];
    const n = 40_000;
    let inside = 0;
    let both = 0;
    let shadowed = 0;
    for (let i = 0; i < n; i++) {
      const isIn = assign({ salt: 'salt', variants }, [`user-${i}`]) === 1;
      const isShadow = isShadowed('salt', 2, 30, [`user-${i}`]);
      if (isIn) inside++;
      if (isShadow) shadowed++;
      if (isIn && isShadow) both++;
    }
    expect(Math.abs(inside / n - 0.1)).toBeLessThan(4 * Math.sqrt(0.09 / n));
    expect(Math.abs(shadowed / n - 0.3)).toBeLessThan(4 * Math.sqrt(0.21 / n));
    expect(Math.abs(both / n - 0.03)).toBeLessThan(4 * Math.sqrt(0.0291 / n));
  });

  it('keeps ["a","bc"] apart from ["ab","c"]', () => {
    const variants = Array.from({ length: 50 }, (_, index) => ({ name: `v${index}`, weight: 2 }));
    const differ = Array.from(
      { length: 20 },
      (_, salt) =>
        assign({ salt: `${salt}`, variants }, ['a', 'bc']) !== assign({ salt: `${salt}`, variants }, ['ab', 'c']),
    );
    expect(differ).toContain(true);
  });
});

function tableOf(hundredths: readonly number[]): Uint16Array {
  const base = 10_000 - hundredths.reduce((sum, weight) => sum + weight, 0);
  return layOut([
    { name: 'stable', weight: base / 100 },
    ...hundredths.map((weight, index) => ({ name: `v${index}`, weight: weight / 100 })),
  ]);
}

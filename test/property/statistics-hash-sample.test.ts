// A sample of hashes is the lowest of all that were added, however they came: one by one, merged, or from a text.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createHashSample,
  EXACT_HASHES,
  type HashSample,
  packHashes,
  unpackHashes,
} from '../../src/statistics/index.ts';

const LIMIT = 8;
const hash = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const hashes = fc.array(hash, { maxLength: 60 });

function sampleOf(added: readonly number[], limit = LIMIT): HashSample {
  const sample = createHashSample(limit);
  for (const each of added) sample.add(each);
  return sample;
}

function told(sample: HashSample) {
  return {
    hashes: [...sample.hashes()],
    size: sample.size(),
    threshold: sample.threshold(),
    isExact: sample.isExact(),
    estimate: sample.estimate(),
  };
}

describe('a sample of hashes', () => {
  it('holds the lowest of all that were added, and knows how far it goes', () => {
    fc.assert(
      fc.property(hashes, (added) => {
        const all = [...new Set(added)].sort((a, b) => a - b);
        const isExact = all.length <= LIMIT;
        const lowest = all.slice(0, LIMIT);
        const sample = sampleOf(added);
        expect(told(sample)).toMatchObject({
          hashes: lowest,
          size: lowest.length,
          isExact,
          threshold: isExact ? 2 ** 32 - 1 : lowest.at(-1),
        });
        expect([...sample.hashes(20)]).toEqual(lowest.filter((each) => each <= 20));
      }),
    );
  });

  it('is the same merged as added one by one, in any grouping and order', () => {
    fc.assert(
      fc.property(hashes, hashes, hashes, (a, b, c) => {
        const whole = told(sampleOf([...a, ...b, ...c]));
        const left = sampleOf(a);
        left.merge(sampleOf(b));
        left.merge(sampleOf(c));
        const right = sampleOf(c);
        right.merge(sampleOf(b));
        const last = sampleOf(a);
        last.merge(right);
        expect(told(left)).toEqual(whole);
        expect(told(last)).toEqual(whole);
      }),
    );
  });

  it('goes on from its text as if it had never been one', () => {
    fc.assert(
      fc.property(hashes, hashes, (before, after) => {
        const text = packHashes(sampleOf(before));
        const sample = unpackHashes(text, LIMIT);
        expect(packHashes(sample)).toBe(text);
        for (const each of after) sample.add(each);
        expect(told(sample)).toEqual(told(sampleOf([...before, ...after])));
      }),
    );
  });

  it('refuses a text that is none, and never gives anything but a sample or that', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        try {
          const held = [...unpackHashes(Buffer.from(bytes).toString('base64')).hashes()];
          expect(held).toEqual([...new Set(held)].sort((a, b) => a - b));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
    expect(() => unpackHashes('')).toThrow(RangeError);
  });

  it('says whether a hash is new, so that first times can be counted', () => {
    const sample = createHashSample();
    expect([sample.add(7), sample.add(7), sample.add(2 ** 32 - 1), sample.add(0)]).toEqual([true, false, true, true]);
  });

  it('counts exactly to 4,096, and a million within five standard errors', () => {
    const sample = createHashSample();
    // A full cycle of a linear congruential generator: every state once.
    let state = 1;
    const add = (times: number): void => {
      for (let i = 0; i < times; i++) sample.add((state = (Math.imul(state, 1664525) + 1013904223) >>> 0));
    };
    add(EXACT_HASHES);
    expect([sample.isExact(), sample.estimate()]).toEqual([true, EXACT_HASHES]);
    add(1_000_000 - EXACT_HASHES);
    expect([sample.isExact(), sample.size()]).toEqual([false, EXACT_HASHES]);
    expect(Math.abs(sample.estimate() / 1_000_000 - 1)).toBeLessThan(5 / Math.sqrt(EXACT_HASHES));
  });
});

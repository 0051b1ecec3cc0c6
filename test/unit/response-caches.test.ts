// What is kept of models' answers: for how long, within which bounds, and for whom.

import { describe, expect, it } from 'vitest';
import type { CacheSpec } from '../../src/definitions/index.ts';
import { entryBytes } from '../../src/serving/response-cache/entry-bytes.ts';
import { createResponseCaches } from '../../src/serving/response-cache/response-caches.ts';

const SPEC: CacheSpec = { ttlMicros: 1_000_000, maxBytes: 1e6, maxEntries: 1000 };
/** Of a key of one sign, and one number. */
const ONE = entryBytes('a', [1]);

function open(maxBytes = 1e9) {
  let nowMs = 5;
  const caches = createResponseCaches({ maxBytes, nowMs: () => nowMs });
  const hold = (arm = 'v1', spec: Partial<CacheSpec> = {}, endpoint = 'e') =>
    caches.hold({ endpoint, arm }, { ...SPEC, ...spec });
  return { caches, hold, pass: (ms: number) => void (nowMs += ms), told: () => caches.statistics() };
}

describe('an answer', () => {
  it('is kept for as long as the endpoint says, by a clock that only goes forward', () => {
    const { hold, pass, told } = open();
    const cache = hold();
    expect(cache.get('a')).toBeUndefined();
    cache.put('a', [1]);
    pass(999);
    expect(cache.get('a')).toEqual([1]);
    pass(1);
    expect(cache.get('a')).toBeUndefined();
    expect(told()).toMatchObject([{ endpoint: 'e', hits: 1, entries: 0, bytes: 0, evictions: 0 }]);
  });

  it('leaves memory once it is too old, though nobody asks for it', () => {
    const { caches, hold, pass, told } = open();
    const cache = hold();
    cache.put('a', [1]);
    pass(600);
    cache.put('b', [2]);
    pass(500);
    caches.sweep();
    expect(told()).toMatchObject([{ entries: 1, bytes: ONE }]);
    expect(cache.get('b')).toEqual([2]);
  });

  it('is its arm’s alone', () => {
    const { hold } = open();
    hold().put('a', [1]);
    expect(hold('v2').get('a')).toBeUndefined();
    expect(hold('v1', {}, 'another').get('a')).toBeUndefined();
    expect(hold().get('a')).toEqual([1]);
  });

  it('goes with the last one who holds the arm, and does not come back with a run that ends later', () => {
    const { hold, told } = open();
    const [one, other] = [hold(), hold()];
    one.put('a', [1]);
    one.release();
    one.release();
    expect(other.get('a')).toEqual([1]);
    other.release();
    expect(told()).toMatchObject([{ entries: 0, bytes: 0 }]);
    other.put('a', [1]);
    expect(told()).toMatchObject([{ entries: 0, bytes: 0 }]);
    expect(hold().get('a')).toBeUndefined();
  });

  it('goes with many others some thousand at a time, and meanwhile gives way to those that stay', () => {
    const { caches, hold, told } = open();
    const wide = { maxBytes: 1e9, maxEntries: 10_000 };
    const [gone, stays] = [hold('v1', wide), hold('v2', wide)];
    for (let key = 0; key < 10_000; key++) gone.put(`${key}`, [1]);
    gone.release();
    const left = told()[0]?.entries ?? 0;
    expect(left).toBeGreaterThan(5000);
    expect(left).toBeLessThan(10_000);
    expect(hold('v1', wide).get('9999')).toBeUndefined();
    for (let key = 0; key < 10_000; key++) stays.put(`${key}`, [2]);
    expect(told()).toMatchObject([{ entries: 10_000, evictions: left }]);
    caches.sweep();
    expect(told()).toMatchObject([{ entries: 10_000 }]);

    stays.release();
    for (let sweeps = 0; sweeps < 2; sweeps++) caches.sweep();
    expect(told()).toMatchObject([{ entries: 0, bytes: 0 }]);
  });

  it('that is replaced counts once', () => {
    const { hold, told } = open();
    const cache = hold();
    cache.put('a', [1]);
    cache.put('a', [2]);
    expect(cache.get('a')).toEqual([2]);
    expect(told()).toMatchObject([{ entries: 1, bytes: ONE, evictions: 0 }]);
  });
});

describe('a bound', () => {
  it('of entries makes those leave that were not asked for longest', () => {
    const { hold, told } = open();
    const cache = hold('v1', { maxEntries: 2 });
    cache.put('a', [1]);
    cache.put('b', [2]);
    cache.get('a');
    cache.put('c', [3]);
    expect(['a', 'b', 'c'].map((key) => cache.get(key))).toEqual([[1], undefined, [3]]);
    expect(told()).toMatchObject([{ entries: 2, evictions: 1 }]);
  });

  it('of bytes is one for all arms of an endpoint', () => {
    const { hold, told } = open();
    const [one, other] = ['v1', 'v2'].map((arm) => hold(arm, { maxBytes: 2 * ONE }));
    one?.put('a', [1]);
    one?.put('b', [2]);
    other?.put('a', [3]);
    expect([one?.get('a'), one?.get('b'), other?.get('a')]).toEqual([undefined, [2], [3]]);
    expect(told()).toMatchObject([{ entries: 2, bytes: 2 * ONE, evictions: 1 }]);
  });

  it('of the server takes the place of whichever endpoint’s answer was not asked for longest', () => {
    const { hold, told } = open(2 * ONE);
    const [one, other] = [hold('v', {}, 'one'), hold('v', {}, 'other')];
    one.put('a', [1]);
    other.put('a', [2]);
    one.get('a');
    one.put('b', [3]);
    expect([one.get('a'), one.get('b'), other.get('a')]).toEqual([[1], [3], undefined]);
    expect(told()).toMatchObject([
      { endpoint: 'one', evictions: 0, bytes: 2 * ONE },
      { endpoint: 'other', evictions: 1, bytes: 0 },
    ]);
  });

  it('keeps out what it could never hold, and nothing leaves for it', () => {
    const { hold, told } = open();
    const cache = hold('v1', { maxBytes: 2 * ONE });
    cache.put('a', [1]);
    cache.put('x'.repeat(2 * ONE), [2]);
    expect(cache.get('a')).toEqual([1]);
    expect(told()).toMatchObject([{ entries: 1, evictions: 0 }]);
  });

  it('that a new plan lowers holds at once', () => {
    const { hold, pass, told } = open();
    const before = hold();
    for (const key of ['a', 'b', 'c']) before.put(key, [1]);
    const now = hold('v1', { maxEntries: 1, ttlMicros: 10_000 });
    before.release();
    expect(told()).toMatchObject([{ entries: 1, evictions: 2 }]);
    expect(now.get('c')).toEqual([1]);
    pass(10);
    expect(now.get('c')).toBeUndefined();
  });

  it('that a new plan lowers holds for runs of the plan before, too', () => {
    const { hold, pass, told } = open();
    const [before, now] = [hold(), hold('v1', { maxBytes: 2 * ONE, ttlMicros: 10_000 })];
    now.put('a', [1]);
    before.put('x'.repeat(2 * ONE), [2]);
    expect(told()).toMatchObject([{ entries: 1, bytes: ONE, evictions: 0 }]);
    pass(10);
    expect(before.get('a')).toBeUndefined();
  });
});

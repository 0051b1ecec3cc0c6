// Requests a second, and work a few at a time.

import { describe, expect, it } from 'vitest';
import { fewAtOnce } from '../../src/core/few-at-once.ts';
import { createRateLimit } from '../../src/core/rate-limit.ts';

describe('a rate limit', () => {
  it('lets through a second’s worth at once, then as many as time gives back, and never more than it holds', () => {
    let now = 0;
    const limit = createRateLimit(4, () => now);
    const takes = (count: number): boolean[] => Array.from({ length: count }, () => limit.take('a'));
    expect(takes(5)).toEqual([true, true, true, true, false]);
    expect(limit.take('b')).toBe(true);
    now = 249;
    expect(limit.take('a')).toBe(false);
    now = 250;
    expect(takes(2)).toEqual([true, false]);
    now = 1e6;
    expect(takes(5)).toEqual([true, true, true, true, false]);
  });

  it('holds as many as its burst, where that is another number', () => {
    let now = 0;
    const limit = createRateLimit(1, () => now, 2);
    expect([limit.take('a'), limit.take('a'), limit.take('a')]).toEqual([true, true, false]);
    now = 1000;
    expect([limit.take('a'), limit.take('a')]).toEqual([true, false]);
  });
});

it('work is done a few at a time, in its order, also after some of it failed', async () => {
  const soon = fewAtOnce(2);
  const [begun, ends]: [number[], PromiseWithResolvers<void>[]] = [[], []];
  const all = [0, 1, 2, 3].map((number) => {
    ends[number] = Promise.withResolvers<void>();
    return soon(async () => {
      begun.push(number);
      await ends[number]?.promise;
      if (number === 0) throw new Error('broken');
    });
  });
  const settled = Promise.allSettled(all);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await turn();
  expect(begun).toEqual([0, 1]);
  ends[0]?.resolve();
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  for (const { resolve } of ends) resolve();
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
  expect(begun).toEqual([0, 1, 2, 3]);
});

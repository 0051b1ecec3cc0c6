// A breaker against a count of all requests that were ever recorded, and its cool-offs.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Breaker, BREAKER_REQUESTS, BREAKER_WINDOW_MS, createBreaker } from '../../src/serving/breaker.ts';

interface Ended {
  readonly atMs: number;
  readonly isFailed: boolean;
}

/** Whether the requests of the window that ends with the last one are enough, and half of them failed. */
function opensBy(ended: readonly Ended[]): boolean {
  const slot = (ms: number): number => Math.floor(ms / 100);
  const now = slot((ended.at(-1) as Ended).atMs);
  const recent = ended.filter(({ atMs }) => slot(atMs) > now - BREAKER_WINDOW_MS / 100);
  return recent.length >= BREAKER_REQUESTS && 2 * recent.filter(({ isFailed }) => isFailed).length >= recent.length;
}

const steps = (mostMs: number, failing: number) => {
  const isFailed = fc.integer({ min: 0, max: 99 }).map((n) => n < failing);
  const step = fc.record({ passedMs: fc.integer({ min: 0, max: mostMs }), isFailed });
  return fc.array(step, { minLength: 1, maxLength: 200, size: 'max' });
};

describe('a breaker', () => {
  it('opens at the request at which a count of the last ten seconds says so, and at no other', () => {
    let opened = 0;
    const loads = fc.oneof(steps(50, 60), steps(700, 50), steps(30_000, 80), steps(900, 45));
    fc.assert(
      fc.property(fc.nat(1_000_000), loads, (startMs, load) => {
        const breaker = createBreaker();
        const ended: Ended[] = [];
        let atMs = startMs;
        for (const { passedMs, isFailed } of load) {
          atMs += passedMs;
          ended.push({ atMs, isFailed });
          const opens = opensBy(ended);
          expect(breaker.record(atMs, isFailed)).toBe(opens);
          expect(breaker.isOpen).toBe(opens);
          if (!opens) continue;
          opened++;
          return;
        }
      }),
      { numRuns: 300 },
    );
    expect(opened).toBeGreaterThan(50);
  });

  const fail = (breaker: Breaker, nowMs: number): void => {
    for (let i = 0; i < BREAKER_REQUESTS; i++) breaker.record(nowMs, true);
  };

  /** One that opened at a time. */
  const opened = (nowMs: number): Breaker => {
    const breaker = createBreaker();
    fail(breaker, nowMs);
    return breaker;
  };

  it('sends one probe a cool-off, which is 5 s and doubles to a minute with each that fails', () => {
    const breaker = opened(1000);
    expect([breaker.isOpen, breaker.opens, breaker.openedMs]).toEqual([true, 1, 1000]);
    let nowMs = 1000;
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) {
      waits.push(breaker.retryMs - nowMs);
      nowMs = breaker.retryMs;
      // The last while the probe is under way.
      expect([nowMs - 1, nowMs, nowMs].map((atMs) => breaker.takesProbe(atMs))).toEqual([false, true, false]);
      expect(breaker.probed(nowMs, true)).toBe(false);
    }
    expect(waits).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it('sends another probe where one never came back', () => {
    const breaker = opened(0);
    expect([5000, 9999, 10_000].map((atMs) => breaker.takesProbe(atMs))).toEqual([true, false, true]);
  });

  it('closes by a probe that is answered, and counts from nothing then', () => {
    const breaker = opened(0);
    expect(breaker.takesProbe(5000)).toBe(true);
    expect(breaker.probed(5001, false)).toBe(true);
    expect(breaker.isOpen).toBe(false);
    for (let i = 1; i < BREAKER_REQUESTS; i++) expect(breaker.record(5002, true)).toBe(false);
    expect(breaker.record(5002, true)).toBe(true);
    // Soon after it closed: it is given longer.
    expect([breaker.opens, breaker.retryMs - 5002]).toEqual([2, 10_000]);
  });

  it('begins with the first cool-off again where it was closed for a minute', () => {
    const breaker = opened(0);
    breaker.takesProbe(5000);
    breaker.probed(5000, false);
    fail(breaker, 70_000);
    expect(breaker.retryMs).toBe(75_000);
  });

  it('counts nothing while it is open, of requests that began before', () => {
    const breaker = opened(0);
    expect(breaker.record(10, true)).toBe(false);
    expect(breaker.opens).toBe(1);
  });
});

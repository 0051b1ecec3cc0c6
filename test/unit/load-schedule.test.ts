// When the load tests send, and the figures that they draw, against what can be counted by hand.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOutcomes, percentile, recoveryOf } from '../../load-tests/outcomes.ts';
import { arrivalCount, arrivalMs } from '../../load-tests/schedule.ts';

const rate = fc.double({ min: 0, max: 5000, noNaN: true });
const arrivals = fc.record({ from: rate, to: rate, seconds: fc.double({ min: 0.5, max: 60, noNaN: true }) });

describe('a schedule', () => {
  it('sends as many until any moment as the rate adds up to, whatever the rates', () => {
    fc.assert(
      fc.property(arrivals, fc.double({ min: 0, max: 1, noNaN: true }), (given, share) => {
        const { from, to, seconds } = given;
        const count = arrivalCount(given);
        fc.pre(count > 0);
        const n = Math.min(count - 1, Math.floor(share * count));
        const t = arrivalMs(given, n) / 1000;
        expect(t).toBeGreaterThanOrEqual(0);
        expect(t).toBeLessThanOrEqual(seconds);
        // The rate's integral up to then.
        expect(from * t + ((to - from) / seconds) * (t * t) * 0.5).toBeCloseTo(n, 3);
        if (n > 0) expect(t * 1000).toBeGreaterThanOrEqual(arrivalMs(given, n - 1));
      }),
    );
  });

  it('sends evenly at an even rate, moved by its shift', () => {
    const given = { from: 100, to: 100, seconds: 1 };
    expect(arrivalCount(given)).toBe(100);
    expect(arrivalMs(given, 7)).toBeCloseTo(70);
    expect(arrivalMs(given, 7, 0.5)).toBeCloseTo(75);
  });
});

describe('a percentile', () => {
  it('is the least value that the share does not exceed', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), fc.constantFrom(0.5, 0.9, 0.99, 1), (values, share) => {
        const sorted = Float64Array.from(values).sort();
        const oracle = sorted.find((value) => values.filter((one) => one <= value).length >= share * values.length);
        expect(percentile(sorted, share)).toBe(oracle);
      }),
    );
    expect(percentile(new Float64Array(), 0.99)).toBeNaN();
  });
});

describe('recovery', () => {
  // One every 50 ms for five seconds.
  const points = fc
    .array(fc.integer({ min: 0, max: 99 }), { maxLength: 12 })
    .map((failing) => Array.from({ length: 100 }, (_, at) => ({ intendedMs: at * 50, isGood: !failing.includes(at) })));

  it('is the earliest failure, or the start, after which all of a second are good', () => {
    fc.assert(
      fc.property(points, (all) => {
        const failed = all.filter(({ isGood }) => !isGood).map(({ intendedMs }) => intendedMs);
        const isWhole = (fromMs: number): boolean =>
          fromMs + 1000 <= 5000 && !failed.some((at) => at > fromMs && at < fromMs + 1000);
        const starts = failed[0] === 0 ? failed : [0, ...failed];
        expect(recoveryOf(all, 0, 5000)).toBe(starts.find(isWhole) ?? null);
      }),
    );
  });

  it('never came where nothing was sent, or the last answers failed', () => {
    expect(recoveryOf([], 0, 5000)).toBeNull();
    const failing = Array.from({ length: 50 }, (_, at) => ({ intendedMs: at * 100, isGood: at < 5 }));
    expect(recoveryOf(failing, 0, 5000)).toBeNull();
  });

  it('counts from the phase’s start to the last failure before the good second', () => {
    const all = Array.from({ length: 40 }, (_, at) => ({ intendedMs: 10_000 + at * 100, isGood: at > 6 }));
    expect(recoveryOf(all, 10_000, 14_000)).toBe(600);
  });
});

describe('figures of a phase', () => {
  const phases = [
    { name: 'one', startMs: 0, endMs: 1000 },
    { name: 'two', startMs: 1000, endMs: 2000 },
  ];

  it('are of the requests that were meant for it; what was answered in time is counted when it came', () => {
    const outcomes = createOutcomes();
    outcomes.add(900, 1100, 200);
    outcomes.add(100, 110, 200);
    outcomes.add(200, 900, 200);
    outcomes.add(300, 301, 429);
    outcomes.add(400, 1400, 504);
    outcomes.add(500, 500, 503);
    outcomes.add(600, 650, 0);
    const [one, two] = outcomes.figures(phases, 500);
    expect(one).toMatchObject({ sent: 7, answered: 3, faults: 2, goodPerSecond: 1, p50Ms: 200, maxMs: 700 });
    expect(one?.statuses).toEqual({ '200': 3, '429': 1, '504': 1, '503': 1, broken: 1 });
    expect(two).toMatchObject({ sent: 0, answered: 0, goodPerSecond: 1, recoveryMs: null });
    expect(two?.p99Ms).toBeNaN();
  });

  it('hold for more than fit into the first room', () => {
    const outcomes = createOutcomes();
    for (let at = 0; at < 5000; at++) outcomes.add(at / 10, at / 10 + 1, 200);
    expect(outcomes.figures(phases, 500)[0]).toMatchObject({ sent: 5000, answered: 5000 });
  });
});

// Overload, simulated: twice what a model can do, for a minute. What is no use any more must not be run.

import { describe, expect, it } from 'vitest';
import type { Priority } from '../../src/core/index.ts';
import { createRandom } from '../support/chance.ts';
import { simulate, type SimulatedArrival } from '../support/simulated-model.ts';

const MINUTE_MS = 60_000;

interface Case {
  readonly fixedMs: number;
  readonly rowMs: number;
  readonly maxBatchRows: number;
  readonly lanes: number;
  readonly rowsEach: number;
}

const runMs = ({ fixedMs, rowMs }: Case, rows: number): number => fixedMs + rowMs * rows;

/** Rows a second when nothing but full batches ran, none longer than the queue would choose. */
function capacity(given: Case): number {
  const most = given.rowMs === 0 ? Infinity : (250 - given.fixedMs) / given.rowMs;
  const rows = Math.max(1, Math.min(given.maxBatchRows, Math.floor(most)));
  return (1000 * given.lanes * rows) / runMs(given, rows);
}

/** Callers at random, so many times what the model can do. */
function arrivalsOf(given: Case, load: number, untilMs: number, timeoutMs: number, seed: number): SimulatedArrival[] {
  const random = createRandom(seed);
  const arrivals: SimulatedArrival[] = [];
  const everyMs = (1000 * given.rowsEach) / (load * capacity(given));
  for (let atMs = 0; atMs < untilMs; atMs += -Math.log((random.below(1e6) + 1) / 1e6) * everyMs)
    arrivals.push({ atMs, timeoutMs, rows: given.rowsEach });
  return arrivals;
}

// Runs take up to 15 % more or less than they should, and the measure at load was a tenth too small.
function run(given: Case, arrivals: readonly SimulatedArrival[], bounds: { maxQueuedRows?: number } = {}) {
  const random = createRandom(7);
  return simulate({
    arrivals,
    lanes: given.lanes,
    maxBatchRows: given.maxBatchRows,
    tookMs: (rows) => runMs(given, rows) * (0.85 + 0.3 * (random.below(1e6) / 1e6)),
    measured: { fixedMs: 0.9 * given.fixedMs, rowMs: 0.9 * given.rowMs },
    ...bounds,
  });
}

const caseOf = (fixedMs: number, rowMs: number, maxBatchRows: number, lanes = 1, rowsEach = 1) =>
  ({ fixedMs, rowMs, maxBatchRows, lanes, rowsEach }) satisfies Case;
const models = [
  caseOf(20, 0, 8),
  caseOf(20, 0, 8, 2, 5),
  caseOf(0, 20, 256),
  caseOf(10, 10, 256),
  caseOf(19, 1, 8, 2),
  caseOf(5, 1, 64, 1, 3),
  caseOf(15, 0.6, 256),
];

describe.each(models)('a model of $fixedMs + $rowMs ms a row, $lanes at once, $rowsEach rows a caller', (given) => {
  it('does 95 % of what it can at twice as much, and hardly anything too late', () => {
    const { goodRows, lateRows } = run(given, arrivalsOf(given, 2, MINUTE_MS, 1000, 1));
    expect(goodRows / 60 / capacity(given)).toBeGreaterThan(0.95);
    expect(lateRows / goodRows).toBeLessThan(0.05);
  });

  it('refuses nobody at half of it', () => {
    expect(run(given, arrivalsOf(given, 0.5, MINUTE_MS, 1000, 2)).refused).toEqual({});
  });

  it('serves all again a second after the rush', () => {
    const calm = arrivalsOf(given, 0.5, MINUTE_MS, 1000, 3).map((one) => ({ ...one, atMs: one.atMs + 10_000 }));
    const { refused, goodRows } = run(given, [...arrivalsOf(given, 4, 9000, 1000, 4), ...calm]);
    const rush = run(given, arrivalsOf(given, 4, 9000, 1000, 4));
    expect(refused).toEqual(rush.refused);
    expect(goodRows).toBe(rush.goodRows + given.rowsEach * calm.length);
  });
});

it('refuses nobody who waits for the sake of shadows that do not', () => {
  const given = caseOf(5, 1, 64);
  const online = arrivalsOf(given, 0.4, 10_000, 1000, 5);
  const shadow = arrivalsOf(given, 2, 10_000, 5000, 6).map((one) => ({ ...one, priority: 'shadow' as const }));
  const arrivals = [...online, ...shadow].toSorted((a, b) => a.atMs - b.atMs);
  const { refusedOf, goodRows } = run(given, arrivals);
  expect(refusedOf.online).toBe(0);
  expect(refusedOf.shadow).toBeGreaterThan(0);
  expect(goodRows).toBeGreaterThan(1.5 * online.length);
});

describe('single rows with a deadline of 1 s beside works of 10,000 rows that have an hour', () => {
  const given = caseOf(5, 1, 256);
  const single = { timeoutMs: 1000, rows: 1 };
  const singles: SimulatedArrival[] = Array.from({ length: 600 }, (_, at) => ({ ...single, atMs: 1 + 33 * at }));
  const large: SimulatedArrival = { atMs: 0, timeoutMs: 3_600_000, rows: 10_000, priority: 'online' };

  it('lose nothing, and both works are answered where there is room for both', () => {
    const { refused, goodRows } = run(given, [large, large, ...singles], { maxQueuedRows: 30_000 });
    expect(refused).toEqual({});
    expect(goodRows).toBe(20_000 + singles.length);
  });

  it('lose nothing where there is no room for both: the second work is refused', () => {
    const { refused, goodRows } = run(given, [large, large, ...singles]);
    expect(refused).toEqual({ full: 1 });
    expect(goodRows).toBe(10_000 + singles.length);
  });

  it('lose nothing when a run’s fixed part is most of it and they come with little time left', () => {
    const costly: Case = { ...given, fixedMs: 60, rowMs: 0.25 };
    const hurried = singles.map((one) => ({ ...one, timeoutMs: 220 }));
    // By the estimate, exactly: a run that takes longer than it should may well make a hurried row late.
    const { refused, goodRows } = simulate({
      arrivals: [large, ...hurried],
      lanes: 1,
      maxBatchRows: costly.maxBatchRows,
      tookMs: (rows) => runMs(costly, rows),
      measured: costly,
    });
    expect(refused).toEqual({});
    expect(goodRows).toBe(10_000 + hurried.length);
  });
});

it('gives the room of the latest deadline of the lowest priority to whoever is more urgent', () => {
  const given = caseOf(5, 1, 8);
  const many = (timeoutMs: number, priority: Priority): SimulatedArrival[] =>
    Array.from({ length: 20 }, () => ({ atMs: 0, timeoutMs, rows: 1, priority }));
  const arrivals = [...many(5000, 'shadow'), ...many(9000, 'online'), ...many(1000, 'online')];
  const { refusedOf, refused } = run(given, arrivals, { maxQueuedRows: 40 });
  expect(refused).toEqual({ full: refusedOf.shadow });
  expect(refusedOf.shadow).toBeGreaterThan(10);
});

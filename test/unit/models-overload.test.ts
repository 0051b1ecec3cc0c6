// Overload, simulated: twice what a model can do, for a minute. What is no use any more must not be run.

import { describe, expect, it } from 'vitest';
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
function run(given: Case, arrivals: readonly SimulatedArrival[]) {
  const random = createRandom(7);
  return simulate({
    arrivals,
    lanes: given.lanes,
    maxBatchRows: given.maxBatchRows,
    tookMs: (rows) => runMs(given, rows) * (0.85 + 0.3 * (random.below(1e6) / 1e6)),
    measured: { fixedMs: 0.9 * given.fixedMs, rowMs: 0.9 * given.rowMs },
  });
}

const models: Case[] = [
  { fixedMs: 20, rowMs: 0, maxBatchRows: 8, lanes: 1, rowsEach: 1 },
  { fixedMs: 20, rowMs: 0, maxBatchRows: 8, lanes: 2, rowsEach: 5 },
  { fixedMs: 0, rowMs: 20, maxBatchRows: 256, lanes: 1, rowsEach: 1 },
  { fixedMs: 10, rowMs: 10, maxBatchRows: 256, lanes: 1, rowsEach: 1 },
  { fixedMs: 19, rowMs: 1, maxBatchRows: 8, lanes: 2, rowsEach: 1 },
  { fixedMs: 5, rowMs: 1, maxBatchRows: 64, lanes: 1, rowsEach: 3 },
  { fixedMs: 15, rowMs: 0.6, maxBatchRows: 256, lanes: 1, rowsEach: 1 },
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
  const given: Case = { fixedMs: 5, rowMs: 1, maxBatchRows: 64, lanes: 1, rowsEach: 1 };
  const online = arrivalsOf(given, 0.4, 10_000, 1000, 5);
  const shadow = arrivalsOf(given, 2, 10_000, 5000, 6).map((one) => ({ ...one, priority: 'shadow' as const }));
  const { refusedOf, goodRows } = run(
    given,
    [...online, ...shadow].toSorted((a, b) => a.atMs - b.atMs),
  );
  expect(refusedOf.online).toBe(0);
  expect(refusedOf.shadow).toBeGreaterThan(0);
  expect(goodRows).toBeGreaterThan(1.5 * online.length);
});

// When a day's figure is worse than those before it: it fires, and is no measure of the days that follow.

import { describe, expect, it } from 'vitest';
import { judgeDays } from '../../src/monitoring/quality/judge-quality.ts';
import type { QualityDay } from '../../src/monitoring/quality/quality-store.ts';

const day = (mae: number, at: number, more: Partial<QualityDay> = {}) =>
  ({ day: at, rows: 400, labelled: 400, figures: { mae }, errors: { mae: 0.01 }, ...more }) as QualityDay;
const verdicts = (...maes: readonly number[]) =>
  judgeDays(
    maes.map((mae, at) => day(mae, at)),
    'number',
    {},
  ).map(({ verdict }) => verdict);
const WEEK = [0.25, 0.26, 0.25, 0.24, 0.25, 0.26, 0.24];

describe('a version that was registered without a figure', () => {
  it('is judged from its eighth day on', () => {
    expect(verdicts(...WEEK)).toEqual([]);
    expect(verdicts(...WEEK, 0.25)).toEqual(['ok']);
  });

  it('fires on each of the days that are worse, for a day that fired is no measure of the next', () => {
    expect(verdicts(...WEEK, 0.6, 0.6, 0.6)).toEqual(['firing', 'firing', 'firing']);
    expect(verdicts(...WEEK, 0.6, 0.25)).toEqual(['firing', 'ok']);
  });

  it('never fires for being better', () => {
    expect(verdicts(...WEEK, 0.1, 0.1)).toEqual(['ok', 'ok']);
  });
});

describe('a version that was registered with a figure', () => {
  const judged = (mae: number, metrics: Readonly<Record<string, number>>) =>
    judgeDays([day(mae, 0)], 'number', metrics);
  it.each([
    // An error of 0.01 and a spread of 2 % of 0.5: 0.01414 together.
    [0.5, 'ok'],
    [0.528, 'ok'],
    [0.529, 'between'],
    [0.542, 'between'],
    [0.543, 'firing'],
  ])('of 0.5 that has %f is %s', (mae, verdict) => {
    expect(judged(mae, { test_mae: 0.5 })).toMatchObject([{ expected: 0.5, against: 'registered', verdict }]);
  });

  it('is not judged by what it was in training, nor by what is no number', () => {
    expect(judged(0.9, { train_mae: 0.5, valid_mae: Number.NaN })).toEqual([]);
  });
});

it('a day of fewer than 300 labels, or of far fewer than those before it, does not count', () => {
  const days = [
    day(0.5, 0),
    day(0.9, 1, { labelled: 299 }),
    day(0.9, 2, { labelled: 319 }),
    day(0.9, 3, { labelled: 320 }),
  ];
  expect(judgeDays(days, 'number', { mae: 0.5 }).map(({ day: at, verdict }) => [at, verdict])).toEqual([
    [0, 'ok'],
    [3, 'firing'],
  ]);
});

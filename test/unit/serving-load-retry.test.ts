// How long a load that failed waits for its next try.

import { expect, it } from 'vitest';
import { retryDelayMs } from '../../src/serving/load-retry.ts';

it('is a second, doubled with each try up to a minute, and a fifth more or less', () => {
  expect([0, 1, 2, 5, 6, 2000].map((tries) => retryDelayMs(tries, 0.5))).toEqual([
    1000, 2000, 4000, 32_000, 60_000, 60_000,
  ]);
  expect([0, 1].map((random) => retryDelayMs(3, random))).toEqual([6400, 9600]);
});

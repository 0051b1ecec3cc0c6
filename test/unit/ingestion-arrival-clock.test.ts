// The clock that pushes are stamped by: the server's, never more than a minute past the online store's.

import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Logger,
  MICROS_PER_DAY,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
  silentLogger,
} from '../../src/core/index.ts';
import { type ArrivalClock, createArrivalClock } from '../../src/ingestion/arrival-clock.ts';

const NOW = 1_790_000_000_000_000;

let server: number;
let storeTime: number | Promise<number>;
let monotonicMs: number;
let asks: number;
let logged: string[];
let clock: ArrivalClock;
const logger: Logger = {
  ...silentLogger,
  warn: (_: unknown, text?: string) => void logged.push(text ?? ''),
  info: (_: unknown, text?: string) => void logged.push(text ?? ''),
};

beforeEach(() => {
  [server, storeTime, monotonicMs, asks, logged] = [NOW, NOW, 0, 0, []];
  const store = {
    nowMicros: () => {
      asks++;
      return storeTime;
    },
  };
  clock = createArrivalClock({ nowMicros: () => server }, store, logger, () => monotonicMs);
});

/** Later by all clocks that are right. */
const pass = (micros: number): void => {
  server += micros;
  storeTime = (storeTime as number) + micros;
  monotonicMs += micros / 1000;
};

/** What a push is stamped now. */
const stamp = async (): Promise<number> => {
  await clock.check();
  return clock.nowMicros();
};

describe.each([
  ['that answers at once', () => {}],
  ['that is asked over the network', () => (storeTime = Promise.resolve(NOW))],
])('beside a store %s', (_, prepare) => {
  it.each([
    ['right', 0, 0],
    ['a day behind', -MICROS_PER_DAY, -MICROS_PER_DAY],
    ['a minute ahead', MICROS_PER_MINUTE, MICROS_PER_MINUTE],
    ['more than a minute ahead', MICROS_PER_MINUTE + 1, 0],
    ['a day ahead', MICROS_PER_DAY, 0],
  ])('a server whose clock is %s', async (_name, ahead, stamped) => {
    prepare();
    server += ahead;
    expect((await stamp()) - NOW).toBe(stamped);
  });
});

it('says once that a clock stepped ahead, and once that it is right again', async () => {
  await stamp();
  server += MICROS_PER_DAY;
  expect(await stamp()).toBe(NOW);
  pass(MICROS_PER_SECOND);
  expect(await stamp()).toBe(NOW + MICROS_PER_SECOND);
  server -= MICROS_PER_DAY;
  expect(await stamp()).toBe(NOW + MICROS_PER_SECOND);
  expect(logged).toEqual([
    "this server's clock is 1d ahead of the online store's: pushes are stamped by the store's clock until it is right",
    "this server's clock is right again; pushes are stamped by it",
  ]);
});

it('goes by a store that answers at once also where the time of that went back since the last push', async () => {
  storeTime = NOW + MICROS_PER_DAY;
  await stamp();
  storeTime = NOW;
  server += MICROS_PER_DAY;
  expect(await stamp()).toBe(NOW);
});

describe('a store over the network', () => {
  const asked = (): number => {
    const before = asks;
    asks = 0;
    return before;
  };
  const away = (): Promise<number> => Promise.reject(new Error('it is away'));

  it('is asked at the first push, and after ten seconds beside one that does not wait for it', async () => {
    storeTime = Promise.resolve(NOW);
    await stamp();
    expect(asked()).toBe(1);
    monotonicMs += 9999;
    server += 9_999_000;
    expect(clock.check()).toBeUndefined();
    expect(asked()).toBe(0);
    monotonicMs += 1;
    expect(clock.check()).toBeUndefined();
    expect(asked()).toBe(1);
  });

  it('is asked first where the server only seems ahead, because this machine slept', async () => {
    storeTime = Promise.resolve(NOW);
    await stamp();
    server += MICROS_PER_DAY;
    storeTime = Promise.resolve(NOW + MICROS_PER_DAY);
    expect(await stamp()).toBe(NOW + MICROS_PER_DAY);
    expect(logged).toEqual([]);
  });

  it('that is away lets the server stamp by its own clock, and once it has said its time by that', async () => {
    storeTime = away();
    server += MICROS_PER_DAY;
    expect(await stamp()).toBe(NOW + MICROS_PER_DAY);
    storeTime = Promise.resolve(NOW);
    expect(await stamp()).toBe(NOW);
    storeTime = away();
    monotonicMs += 1000;
    expect(await stamp()).toBe(NOW + MICROS_PER_SECOND);
  });
});

// The time of an LMDB store: the machine's wall clock, but that a step ahead is believed only once it has lasted.

import { beforeEach, expect, it } from 'vitest';
import { type Clock, MICROS_PER_DAY, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { BELIEVED_AFTER_MS, withoutStepsAhead } from '../../src/online/lmdb/step-guard.ts';

const NOW = 1_790_000_000_000_000;
let [wall, ms, up] = [NOW, 0, 0];
let clock: Clock;
beforeEach(() => {
  [wall, ms, up] = [NOW, 5000, 1000];
  clock = withoutStepsAhead({ nowMicros: () => wall }, { nowMs: () => ms, upSeconds: () => up });
});

/** Later by every clock. */
const pass = (seconds: number): number => {
  wall += seconds * MICROS_PER_SECOND;
  ms += seconds * 1000;
  up += seconds;
  return clock.nowMicros() - wall;
};

it('goes with the wall clock, however long nobody asks', () => {
  expect([pass(1), pass(3600), pass(30 * 86_400)]).toEqual([0, 0, 0]);
});

it.each([
  ['ahead by a minute', MICROS_PER_MINUTE, 0],
  ['ahead by more', MICROS_PER_MINUTE + 1, -MICROS_PER_MINUTE - 1],
  ['ahead by a day', MICROS_PER_DAY, -MICROS_PER_DAY],
  ['back by a day', -MICROS_PER_DAY, 0],
])('follows a step %s or goes on from before it', (_, step, behind) => {
  pass(3 * 86_400);
  wall += step;
  expect([clock.nowMicros() - wall, pass(1), pass(500)]).toEqual([behind, behind, behind]);
  wall -= step;
  expect(pass(1)).toBe(0);
});

it('believes a step ahead that has lasted for ten minutes', () => {
  wall += MICROS_PER_DAY;
  expect(pass(1)).toBe(-MICROS_PER_DAY);
  expect([pass(BELIEVED_AFTER_MS / 1000 - 1), pass(1)]).toEqual([-MICROS_PER_DAY, 0]);
  expect(pass(1)).toBe(0);
});

it('counts those ten minutes anew after the clock was right again', () => {
  for (let i = 0; i < 3; i++) {
    wall += MICROS_PER_DAY;
    expect(pass(300)).toBe(-MICROS_PER_DAY);
    wall -= MICROS_PER_DAY;
    expect(pass(300)).toBe(0);
  }
});

it('follows a machine that was suspended', () => {
  pass(3 * 86_400);
  wall += MICROS_PER_DAY;
  up += 86_400;
  expect(clock.nowMicros() - wall).toBe(0);
  // That it slept before says nothing of a later step.
  wall += MICROS_PER_DAY;
  expect(pass(1)).toBe(-MICROS_PER_DAY);
});

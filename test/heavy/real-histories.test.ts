// The histories of test/property/real-histories at length: those of the day, and a search for what each rule is for.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { playAll, playWithout, RULES } from '../model/search.ts';

const HISTORIES = 5000;
/** How far to search for a history that goes wrong without a rule. */
const FURTHEST = 5000;
const MINUTES = 60_000;

describe('what is pushed', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('counts once when it was acknowledged, in 5,000 histories of the day', { timeout: 30 * MINUTES }, async () => {
    const day = Math.floor(Date.now() / 86_400_000);
    expect((await playAll(HISTORIES, day * HISTORIES)).wrong).toEqual([]);
  });

  it.each(RULES)('goes wrong without %s: %s', { timeout: 30 * MINUTES }, async (rule) => {
    const play = await playWithout(rule);
    let seed = 1;
    for (; seed <= FURTHEST; seed++) {
      const { wrong } = await play(seed);
      if (wrong === undefined) continue;
      // For the recorded seeds.
      console.log(`${rule}: ${seed} (${wrong})`);
      break;
    }
    expect(seed, `no history among the first ${FURTHEST} goes wrong`).toBeLessThanOrEqual(FURTHEST);
  });
});

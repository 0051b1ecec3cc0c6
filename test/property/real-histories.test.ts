// Real writers, settlers, relinks and runs, played in random interleavings over a store and logs that fail: every event that
// was acknowledged counts once. Without any one rule of the protocol a history goes wrong.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type * as history from '../model/real/history.ts';
import { ALL_RULES, type ModelRules, playHistory } from '../model/real/history.ts';
import { CODE_RULES, importWithout } from '../model/real/left-out.ts';
import { fullIt } from '../support/tier.ts';

const QUICK = 100;
const FULL = 2000;
/** Histories that go wrong without a rule, so that nobody need search. Whoever changes what a seed plays searches anew. */
const CAUGHT_BY: Readonly<Record<keyof ModelRules | keyof typeof CODE_RULES, number>> = {
  waitsForReplica: 34,
  promisesReplica: 67,
  keepsGreater: 225,
  fences: 7,
  locks: 1,
  raisesHolder: 3,
  'refold-unsealed': 19,
  'refold-sealed': 149,
  'settle-void': 5,
  'decide-void': 1,
  'give-up': 1,
  'give-up-again': 7,
  'seal-settled': 1,
  'answer-last': 1,
  'refold-mark': 3,
};
/** How often something happens in the quick histories, at least: those in which little happens would prove little. */
const LEAST = { acknowledged: 1500, failovers: 100, crashes: 200, 'late commands': 30, 'run finished': 100 };

async function playAll(count: number) {
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  for (let seed = 1; seed <= count; seed++) {
    const played = await playHistory(seed);
    if (played.wrong !== undefined) wrong.push(`${seed}: ${played.wrong}`);
    for (const [what, times] of Object.entries(played.counts)) counts[what] = (counts[what] ?? 0) + times;
  }
  return { counts, wrong };
}

describe('what is pushed', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('counts once when it was acknowledged, in 100 histories', async () => {
    const { counts, wrong } = await playAll(QUICK);
    expect(wrong).toEqual([]);
    for (const [what, least] of Object.entries(LEAST)) expect(counts[what], what).toBeGreaterThan(least);
  });

  // twin: test/property/real-histories.test.ts > counts once when it was acknowledged, in 100 histories
  fullIt('counts once when it was acknowledged, in 2,000 histories', async () => {
    expect((await playAll(FULL)).wrong).toEqual([]);
  });

  it.each(Object.keys(ALL_RULES) as (keyof ModelRules)[])('goes wrong on a store or log without %s', async (rule) => {
    const { wrong } = await playHistory(CAUGHT_BY[rule], { ...ALL_RULES, [rule]: false });
    expect(wrong).toBeDefined();
    expect((await playHistory(CAUGHT_BY[rule])).wrong).toBeUndefined();
  });

  it.each(Object.keys(CODE_RULES) as (keyof typeof CODE_RULES)[])('goes wrong without the line of %s', async (rule) => {
    const { playHistory: playWithout } = await importWithout<typeof history>('test/model/real/history.ts', rule);
    expect((await playWithout(CAUGHT_BY[rule])).wrong).toBeDefined();
    expect((await playHistory(CAUGHT_BY[rule])).wrong).toBeUndefined();
  });
});

// Real writers, settlers, relinks and runs, played in random interleavings over a store, logs and a registry that fail: every
// event that was acknowledged counts once. Without any one rule of the protocol a history goes wrong.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { playHistory } from '../model/history.ts';
import { playAll, playWithout, type Rule, RULES } from '../model/search.ts';
import { fullIt } from '../support/tier.ts';

const QUICK = 100;
const FULL = 2000;
/** Histories that go wrong without a rule, so that nobody need search. Whoever changes what a seed plays searches anew. */
const CAUGHT_BY: Readonly<Record<Rule, number>> = {
  waitsForReplica: 2,
  promisesReplica: 139,
  keepsGreater: 203,
  fences: 1,
  basesFirst: 1,
  locks: 1,
  raisesHolder: 2,
  standsForLost: 25,
  'register-first': 1495,
  'asked-first': 158,
  'seal-settled': 30,
  'answer-last': 1,
  'B-split': 33,
  'clock-limit': 27,
  'seen-writer': 485,
  'held-again': 344,
  'decide-void': 1,
  'give-up': 4,
  'give-up-again': 4,
  'ended-answers': 224,
  'claim-seal': 56,
  'settle-void': 12,
  'hold-lock': 113,
  'hold-settled': 99,
  'refold-unsealed': 23,
  'refold-sealed': 4,
  'refold-mark': 5,
  shipped: 1,
  'B-answered': 2,
  'since-mark': 49,
  'recheck-mark': 99,
  'moved-B': 5,
  'full-shrunk': 26,
  'mark-last': 273,
  'redo-node': 132,
  'own-run': 50,
};
/** How often something happens in the quick histories, at least: those in which little happens would prove little. */
const LEAST = {
  acknowledged: 1500,
  failovers: 200,
  crashes: 180,
  'late commands': 30,
  'run finished full': 250,
  'run finished': 100,
  'run taken over': 30,
  'claims forgotten': 100,
  'keys reused': 20,
  'clocks turned': 40,
  switches: 30,
  copies: 20,
  'registry went back': 10,
  'lost machines': 4,
};

describe('what is pushed', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
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

  /** The same history is right with every rule; the first were looked at above. */
  const expectRight = async (seed: number): Promise<void> => {
    if (seed > QUICK) expect((await playHistory(seed)).wrong).toBeUndefined();
  };

  it.each(RULES)('goes wrong without %s: %s', async (rule) => {
    const play = await playWithout(rule);
    expect((await play(CAUGHT_BY[rule])).wrong).toBeDefined();
    await expectRight(CAUGHT_BY[rule]);
  });
});

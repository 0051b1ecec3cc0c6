// The protocol of pushes, cuts, runs, settlements and versions, played in random interleavings with crashes, late
// commands, failovers and lost machines between any two steps: every read must be what the acknowledged events make it.

import { describe, expect, it } from 'vitest';
import { playHistory } from '../model/history.ts';
import { CAUGHT_BY, leaveOut } from '../model/recorded-seeds.ts';
import { type Rule, RULES } from '../model/rules.ts';
import { playAll } from '../model/search.ts';

// Its keys are the rules.
const rules = Object.entries(RULES) as [Rule, string][];

const LEAST = {
  acknowledged: 1500,
  'finished full': 250,
  'finished incremental': 100,
  'boundary held': 15,
  resumed: 20,
  switches: 80,
  crashes: 500,
  'late commands': 80,
  failovers: 40,
  expired: 20,
  'lost machines': 8,
};

/** How the history goes wrong that shows a rule; without every other an acknowledged event is lost. */
const WRONG = Object.fromEntries(
  Object.entries({
    'counted 2 times': ['row-first', 'own-run', 'whole', 'settle-void', 'seal-settled', 'lock'],
    'is in the files and not counted': ['fence', 'named-then-open', 'redo-node', 'since-mark', 'moved-B', 'between'],
    'seen, then gone': ['claim-seal', 'wait'],
    'has left the files and counts': ['full-shrunk'],
    'is never answered': ['ended-answers'],
  } satisfies Record<string, Rule[]>).flatMap(([wrong, of]) => of.map((rule) => [rule, wrong])),
) as Partial<Record<Rule, string>>;

describe('what a record covers', () => {
  it('counts every acknowledged event once, in 200 histories', () => {
    const { denied, counts } = playAll({ count: 200 });
    expect(denied).toEqual([]);
    // Histories in which little happens would prove little.
    for (const [what, least] of Object.entries(LEAST)) expect(counts[what], what).toBeGreaterThan(least);
  });

  it.each(rules)('goes wrong without rule %s: %s', (rule) => {
    expect(playHistory(CAUGHT_BY[rule], leaveOut(rule)).denied).toContain(WRONG[rule] ?? 'acknowledged and lost');
    expect(playHistory(CAUGHT_BY[rule]).denied).toBeUndefined();
  });

  it('plays a seed the same way each time', () => {
    expect(playHistory(7)).toEqual(playHistory(7));
  });
});

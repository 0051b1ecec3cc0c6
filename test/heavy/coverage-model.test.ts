// The model test at length: thousands of histories, the same ones and the day's, and a search for what each rule is for.

import { describe, expect, it } from 'vitest';
import { leaveOut } from '../model/recorded-seeds.ts';
import { type Rule, RULES } from '../model/rules.ts';
import { findDenied, playAll } from '../model/search.ts';

const HISTORIES = 2000;
/** How far to search for a history that goes wrong without a rule. */
const FURTHEST = 20_000;
const MINUTES = 60_000;

// Its keys are the rules.
const rules = Object.entries(RULES) as [Rule, string][];

describe('what a record covers', () => {
  it('counts every acknowledged event once, in 2,000 histories', { timeout: 5 * MINUTES }, () => {
    expect(playAll({ count: HISTORIES }).denied).toEqual([]);
  });

  it('counts every acknowledged event once, in 2,000 histories of the day', { timeout: 5 * MINUTES }, () => {
    const day = Math.floor(Date.now() / 86_400_000);
    expect(playAll({ count: HISTORIES, firstSeed: day * HISTORIES }).denied).toEqual([]);
  });

  it.each(rules)('goes wrong without rule %s: %s', { timeout: 5 * MINUTES }, (rule) => {
    const found = findDenied({ count: FURTHEST, without: leaveOut(rule) });
    expect(found, `no history among the first ${FURTHEST} goes wrong`).toBeDefined();
    // For the recorded seeds.
    console.log(`${rule}: ${found?.seed} (${found?.mode}: ${found?.denied})`);
  });
});

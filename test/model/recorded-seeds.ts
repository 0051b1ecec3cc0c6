// For each rule a history that goes wrong without it, so that the quick test need not search. Whoever changes the model
// changes what a seed plays: `npm run test:heavy` searches anew, and names the seed that it found.

import type { Rule } from './rules.ts';

const SEEDS = `
row-first 1, own-run 1, fence 43, named-then-open 407, hold-lock 58, rising 2, holder 2, whole 6,
refold 25, refold-mark 16, hold-settled 1123, B-answered 4, B-split 3, register-first 31, asked-first 447,
claim-seal 2, settle-void 172, settle-fence 3746, ended-answers 771, wait 7, seal-settled 17, shipped 743,
base-first 1, mark-last 8, redo-node 665, recheck-mark 430, since-mark 49, switch-cut 169, lock 156,
full-shrunk 15, full-B-back 4002, moved-B 37, between 5039, monotone 2`;

export const CAUGHT_BY = Object.fromEntries(
  Array.from(SEEDS.matchAll(/(\S+) (\d+)/g), ([, rule, seed]) => [rule, Number(seed)]),
) as Readonly<Record<Rule, number>>;

/** What is left out to show a rule: where another guards the same, both. */
export function leaveOut(rule: Rule): readonly Rule[] {
  return rule === 'since-mark' ? ['since-mark', 'recheck-mark'] : [rule];
}

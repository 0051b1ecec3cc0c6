// Many histories, by consecutive seeds, with every rule or without one.

import { ALL_RULES, type Played, playHistory } from './history.ts';
import type * as history from './history.ts';
import { CODE_RULES, importWithout } from './left-out.ts';
import type { ModelRules } from './world.ts';

type CodeRule = keyof typeof CODE_RULES;
/** One that the product keeps by its lines, or that the fakes of the store and the log keep. */
export type Rule = keyof ModelRules | CodeRule;

const KEPT_BY_FAKES: Readonly<Record<keyof ModelRules, string>> = {
  waitsForReplica: 'a claim counts once the replica has it',
  promisesReplica: 'also where the replica is away: then it counts not at all',
  keepsGreater: 'the store keeps the part with the greater number',
  fences: 'earlier connections of a writer or a version are cut off before a later one writes',
  basesFirst: 'parts go after the base that counts them',
  locks: 'only the log of a dead process is taken over',
  raisesHolder: 'whoever takes a log over is another holder',
  standsForLost: 'a writer whose row the registry has lost counts as open until the row is back',
};

/** With what each demands. */
export const RULES: readonly (readonly [rule: Rule, says: string])[] = [
  // Their keys are the rules.
  ...(Object.entries(KEPT_BY_FAKES) as [keyof ModelRules, string][]),
  ...(Object.entries(CODE_RULES) as [CodeRule, { readonly says: string }][]).map(
    ([rule, { says }]) => [rule, says] as const,
  ),
];

/** Plays histories without a rule. */
export async function playWithout(rule: Rule): Promise<(seed: number) => Promise<Played>> {
  if (!(rule in CODE_RULES)) return (seed) => playHistory(seed, { ...ALL_RULES, [rule]: false });
  const without = await importWithout<typeof history>('test/model/history.ts', rule as CodeRule);
  return without.playHistory;
}

/** The sums of what happened, and the histories that went wrong. */
export async function playAll(count: number, firstSeed = 1) {
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const played = await playHistory(seed);
    if (played.wrong !== undefined) wrong.push(`${seed}: ${played.wrong}`);
    for (const [what, times] of Object.entries(played.counts)) counts[what] = (counts[what] ?? 0) + times;
  }
  return { counts, wrong };
}

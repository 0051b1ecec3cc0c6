// What somebody asks for as weights of a phase's arms, checked: those that are left out keep theirs.

import { invalid } from '../../../core/index.ts';
import type { Phase } from './phases.ts';

/** In percent. Throws HR_INVALID with each mistake. */
export function askedWeights(
  { name, live }: Phase,
  weights: Readonly<Record<string, number>>,
): { name: string; weight: number }[] {
  const known = live.arms.map((arm) => arm.name);
  const mistakes = Object.entries(weights).flatMap(([arm, weight]) => {
    if (!known.includes(arm))
      return [{ path: arm, message: `experiment "${name}" has no such arm; it has ${known.join(', ')}` }];
    const isPercent = weight >= 0 && weight <= 100 && Math.round(weight * 100) / 100 === weight;
    return isPercent ? [] : [{ path: arm, message: `expected a percentage with at most two decimals, got ${weight}` }];
  });
  const asked = live.arms.map((arm) => ({
    name: arm.name,
    weight: weights[arm.name] ?? arm.ranges.reduce((sum, [from, to]) => sum + to - from, 0) / 100,
  }));
  const sum = asked.reduce((all, { weight }) => all + Math.round(weight * 100), 0) / 100;
  if (mistakes.length === 0 && (sum > 100 || sum === 0))
    mistakes.push({ path: 'weights', message: `expected weights that sum to 100 at most, got ${sum}` });
  if (mistakes.length > 0) throw invalid(mistakes);
  return asked;
}

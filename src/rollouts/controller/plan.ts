// The plan of a rollout: steps, times and guards, as it is asked for and as it is pinned in the rollout's row. What the plan is
// can't change under a rollout that runs.

import {
  type ErrorDetail,
  HeadraceError,
  invalid,
  type Micros,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
} from '../../core/index.ts';
import type { About, RolloutSpec } from '../../definitions/index.ts';
import { DEFAULT_GUARDS, type Guard, parseGuards } from './guard.ts';

/**
 * `steps`: percent, rising. `holdMicros`: the least time that each is watched; `maxHoldMicros`: then it is paused. `warmupMicros`: what
 * happens so long after each change of the weights counts for nothing. `minUnits`: so many the candidate must have had in a step.
 * `maturityMicros`: outcomes count of predictions this old, by what was known when they were; 0: all that is known now.
 * `watchMicros`: so long the guards go on after promotion; `bakeMicros`: so long the candidate has all traffic before it.
 * `cooldownMicros`: a version that was rolled back waits so long, four times as long each time after.
 */
type PlanMembers = Omit<RolloutSpec, 'name' | 'endpoint' | keyof About>;

/** Pinned in the row. The last step is 100. */
export interface RolloutPlan extends PlanMembers {
  /** Of the feature repository; null where it was given by hand. */
  readonly name: string | null;
  /** Names that mean the endpoint's outcome. */
  readonly outcomes: readonly string[];
}

/** What may be left out of a plan, and of the names that it is under. */
export type PlanInput = { readonly [M in keyof PlanMembers]?: PlanMembers[M] | undefined };

export const DEFAULT_STEPS: readonly number[] = [1, 5, 25, 50, 100];
const DEFAULT_HOLD: Micros = 10 * MICROS_PER_MINUTE;
const DEFAULT_WARMUP: Micros = 30 * MICROS_PER_SECOND;
const DEFAULT_MIN_UNITS = 200;
const MOST_STEPS = 100;
const MOST_GUARDS = 20;

/**
 * The plan by `input`, and by `named` where it says nothing. Throws HR_INVALID with every mistake; steps that end below 100
 * get it as their last.
 */
export function compilePlan(
  input: PlanInput,
  named: RolloutSpec | undefined,
  outcomes: readonly string[] = [],
): RolloutPlan {
  const given = { ...named, ...definedOf(input) };
  const mistakes: ErrorDetail[] = [];
  const steps = checkSteps(given.steps ?? DEFAULT_STEPS, mistakes);
  const guards = given.guards === undefined || given.guards.length === 0 ? DEFAULT_GUARDS : given.guards;
  if (guards.length > MOST_GUARDS)
    mistakes.push({ path: 'guards', message: `expected at most ${MOST_GUARDS}, got ${guards.length}` });
  parseGuards(guards, outcomes, mistakes);
  const holdMicros = given.holdMicros ?? DEFAULT_HOLD;
  const plan: RolloutPlan = {
    name: named?.name ?? null,
    steps,
    holdMicros,
    warmupMicros: given.warmupMicros ?? DEFAULT_WARMUP,
    minUnits: given.minUnits ?? DEFAULT_MIN_UNITS,
    maxHoldMicros: given.maxHoldMicros ?? Math.max(MICROS_PER_DAY, 2 * holdMicros),
    guards,
    onBlind: given.onBlind ?? 'hold',
    maturityMicros: given.maturityMicros ?? 0,
    watchMicros: given.watchMicros ?? 0,
    cooldownMicros: given.cooldownMicros ?? MICROS_PER_HOUR,
    bakeMicros: given.bakeMicros ?? holdMicros,
    outcomes,
  };
  for (const path of TIMES) {
    if (!Number.isSafeInteger(plan[path]) || plan[path] < 0)
      mistakes.push({ path, message: `expected a time that is not below 0, got ${plan[path]}` });
  }
  if (!Number.isSafeInteger(plan.minUnits) || plan.minUnits < 0)
    mistakes.push({ path: 'minUnits', message: `expected a whole number of units, got ${plan.minUnits}` });
  if (plan.maxHoldMicros < plan.holdMicros)
    mistakes.push({ path: 'maxHoldMicros', message: 'expected no less than the hold: each step would be paused' });
  if (plan.onBlind !== 'hold' && plan.onBlind !== 'rollback')
    mistakes.push({ path: 'onBlind', message: `expected hold or rollback, got ${String(plan.onBlind)}` });
  if (mistakes.length > 0) throw invalid(mistakes);
  return plan;
}

/** The guards of a plan that was compiled. */
export function guardsOf({ guards, outcomes }: Pick<RolloutPlan, 'guards' | 'outcomes'>): readonly Guard[] {
  const mistakes: ErrorDetail[] = [];
  const read = parseGuards(guards, outcomes, mistakes);
  if (mistakes.length > 0) throw new HeadraceError('HR_INTERNAL', `a pinned plan has bad guards: ${guards.join(', ')}`);
  return read;
}

/** Whether a guard is on outcomes as servers are sent them by id: what is told otherwise only the log has, which maturity reads. */
export function countsSentOutcomes(plan: Pick<RolloutPlan, 'guards' | 'outcomes' | 'maturityMicros'>): boolean {
  return plan.maturityMicros === 0 && guardsOf(plan).some(({ metric }) => metric === 'outcome');
}

const TIMES = [
  'holdMicros',
  'warmupMicros',
  'maxHoldMicros',
  'maturityMicros',
  'watchMicros',
  'cooldownMicros',
  'bakeMicros',
] as const;

function checkSteps(steps: readonly number[], mistakes: ErrorDetail[]): readonly number[] {
  const path = 'steps';
  if (steps.length === 0 || steps.length > MOST_STEPS)
    mistakes.push({ path, message: `expected from 1 to ${MOST_STEPS} steps, got ${steps.length}` });
  steps.forEach((step, index) => {
    const before = steps[index - 1] ?? 0;
    const isPercent = typeof step === 'number' && step > 0 && step <= 100 && Math.round(step * 100) / 100 === step;
    if (!isPercent)
      mistakes.push({ path: `${path}[${index}]`, message: `expected a percentage with two decimals, got ${step}` });
    else if (step <= before)
      mistakes.push({
        path: `${path}[${index}]`,
        message: `expected more than the step before, ${before}, got ${step}`,
      });
  });
  return steps.at(-1) === 100 ? steps : [...steps, 100];
}

function definedOf(input: PlanInput): PlanInput {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}

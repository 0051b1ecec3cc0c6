// A rollout's plan as written to its spec, with every default in its place.

import type { AuthoredRollout } from '../authoring/authored.ts';
import { describeResult } from '../calling/user-value.ts';
import type { RolloutSpec } from '../rollout-spec.ts';
import { expectKind } from './collect.ts';
import { duration } from './duration.ts';
import { compileAbout } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { labelMistake, showName } from './names.ts';
import { isPercent, oneOf } from './numbers.ts';

const DEFAULT_STEPS: readonly number[] = [1, 5, 25, 50, 100];
const DEFAULT_MIN_UNITS = 200;
const GUARD = /^\s*[A-Za-z][\w.-]*\s*[<>]\s*([+-]?\d+(\.\d+)?%|\d+(\.\d+)?(us|ms|s)?)\s*$/;

export function compileRollout(rollout: AuthoredRollout, mistakes: Mistakes): RolloutSpec {
  const { options } = rollout;
  const nameMistake = labelMistake(rollout.name);
  if (nameMistake !== undefined) mistakes.add(rollout, nameMistake, [0]);
  const endpoint = expectKind(options.endpoint, 'endpoint', rollout, 'endpoint', [1, 'endpoint'], mistakes);
  const micros = (member: Durations, by: string, zeroAllowed = false): number =>
    duration(rollout, member, options[member] ?? by, zeroAllowed, [1, member], mistakes);
  const { steps = DEFAULT_STEPS, minUnits = DEFAULT_MIN_UNITS, guards = [], onBlind = 'hold' } = options;
  if (!areSteps(steps))
    mistakes.add(
      rollout,
      `steps must be percentages that grow, the last of them 100: [1, 5, 25, 50, 100], got ${shownList(steps)}`,
      [1, 'steps'],
    );
  if (!(Number.isInteger(minUnits) && minUnits > 0))
    mistakes.add(rollout, `minUnits must be a whole number of 1 or more, got ${describeResult(minUnits)}`, [
      1,
      'minUnits',
    ]);
  oneOf(rollout, 'onBlind', onBlind, ['hold', 'rollback'], [1, 'onBlind'], mistakes);
  const holdMicros = micros('hold', '10m');
  return {
    ...compileAbout(rollout, rollout.about, [1], mistakes),
    name: rollout.name,
    endpoint: endpoint?.name ?? '',
    steps,
    holdMicros,
    warmupMicros: micros('warmup', '30s', true),
    minUnits,
    maxHoldMicros: micros('maxHold', '24h'),
    guards: compileGuards(rollout, guards, mistakes),
    onBlind,
    maturityMicros: micros('maturity', '0s', true),
    watchMicros: micros('watch', '0s', true),
    cooldownMicros: micros('cooldown', '1h', true),
    bakeMicros: options.bake === undefined ? holdMicros : micros('bake', '', true),
  };
}

type Durations = 'hold' | 'warmup' | 'maxHold' | 'maturity' | 'watch' | 'cooldown' | 'bake';

function areSteps(steps: unknown): steps is readonly number[] {
  if (!Array.isArray(steps) || !steps.every(isPercent)) return false;
  return steps.at(-1) === 100 && steps.every((step, i) => i === 0 || step > Number(steps[i - 1]));
}

function shownList(value: unknown): string {
  return Array.isArray(value) ? `[${value.slice(0, 10).map(String).join(', ')}]` : describeResult(value);
}

function compileGuards(rollout: AuthoredRollout, guards: unknown, mistakes: Mistakes): readonly string[] {
  if (!Array.isArray(guards)) {
    mistakes.add(rollout, `guards must be an array of texts, got ${describeResult(guards)}`, [1, 'guards']);
    return [];
  }
  return guards.flatMap((guard: unknown, i) => {
    if (typeof guard === 'string' && GUARD.test(guard)) return [guard.trim()];
    mistakes.add(
      rollout,
      `guard ${showName(guard)} is not understood: write 'error_rate<0.01' for a fixed limit, 'error_rate<+20%' for one relative to what is there`,
      [1, 'guards', i],
    );
    return [];
  });
}

/** Each endpoint has one plan at most: a rollout has to know by which it goes. */
export function refuseSecondPlans(
  rollouts: readonly AuthoredRollout[],
  specs: ReadonlyMap<string, RolloutSpec>,
  mistakes: Mistakes,
): void {
  const byEndpoint = new Map<string, AuthoredRollout>();
  for (const rollout of rollouts) {
    const endpoint = specs.get(rollout.name)?.endpoint ?? '';
    const other = byEndpoint.get(endpoint);
    if (other !== undefined && endpoint !== '')
      mistakes.add(
        rollout,
        `endpoint "${endpoint}" has a plan already: rollout "${other.name}"${mistakes.whereIs(other)}. Take one of them out`,
        [1, 'endpoint'],
      );
    byEndpoint.set(endpoint, rollout);
  }
}

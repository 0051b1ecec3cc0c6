// Plans of rollouts: by which steps a new version takes an endpoint's traffic, and what holds it back.

import { ABOUT_OPTIONS, type AboutOptions, type AuthoredObject, type AuthoredRollout } from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { Endpoint } from './feature-service.ts';

export interface Rollout extends AuthoredObject<AuthoredRollout> {
  readonly name: string;
}

export interface RolloutOptions extends AboutOptions {
  /** The endpoint whose rollouts go by this plan. */
  readonly endpoint: Endpoint;
  /** Percent of the units at each step, growing, to 100. Default: 1, 5, 25, 50, 100. */
  readonly steps?: readonly number[];
  /** How long a step is watched at least. Default: '10m'. */
  readonly hold?: string;
  /** What is not counted after each step. Default: '30s'. */
  readonly warmup?: string;
  /** How many units each side must have before a step ends. Default: 200. */
  readonly minUnits?: number;
  /** A step that is undecided for so long is paused. Default: '24h'. */
  readonly maxHold?: string;
  /** What must hold: `'error_rate<0.01'` is a fixed limit, `'error_rate<+20%'` is relative to what is there. */
  readonly guards?: readonly string[];
  /** What is done where figures stay away for 5 minutes. Default: `hold`. */
  readonly onBlind?: 'hold' | 'rollback';
  /** Only predictions so old are compared, by what was known of them at that age. Default: all, at once. */
  readonly maturity?: string;
  /** How long guards go on after promotion. Default: not. */
  readonly watch?: string;
  /** A version that was rolled back starts again after this, and after four times as long each next time. Default: '1h'. */
  readonly cooldown?: string;
  /** How long the last step is watched before the version is promoted. Default: as `hold`. */
  readonly bake?: string;
}

const ROLLOUT_OPTIONS: OptionNames<RolloutOptions> = {
  ...ABOUT_OPTIONS,
  endpoint: true,
  steps: true,
  hold: true,
  warmup: true,
  minUnits: true,
  maxHold: true,
  guards: true,
  onBlind: true,
  maturity: true,
  watch: true,
  cooldown: true,
  bake: true,
};

/**
 * Declares how an endpoint's rollouts go. One starts by `headrace rollout start ENDPOINT --candidate VERSION`.
 *
 * @example
 * rollout('careful', { endpoint: checkout, steps: [1, 10, 100], hold: '30m', guards: ['error_rate<0.01'] })
 */
export function rollout(name: string, options: RolloutOptions): Rollout {
  const call = noteCall(options, ROLLOUT_OPTIONS);
  const { description, owner, tags, ...written } = optionsOf(options);
  const about = Object.fromEntries(
    Object.entries({ description, owner, tags }).filter(([, value]) => value !== undefined),
  );
  return { name, [AUTHORED]: { kind: 'rollout', name, call, options: written, about } };
}

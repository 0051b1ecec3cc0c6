// What a start says in words, on the command line or over HTTP: times as `10m`. All mistakes are named at once.

import { type ErrorDetail, invalid, type Micros, parseDuration } from '../../core/index.ts';
import type { StartRollout } from './start-rollout.ts';

/** As it was typed or sent. */
export interface AskedRollout {
  readonly endpoint: string;
  readonly candidate: string | number;
  readonly plan?: string | undefined;
  readonly steps?: readonly number[] | undefined;
  readonly hold?: string | undefined;
  readonly warmup?: string | undefined;
  readonly min_units?: number | undefined;
  readonly max_hold?: string | undefined;
  readonly guards?: readonly string[] | undefined;
  readonly on_blind?: 'hold' | 'rollback' | undefined;
  readonly maturity?: string | undefined;
  readonly watch?: string | undefined;
  readonly cooldown?: string | undefined;
  readonly bake?: string | undefined;
  readonly force?: boolean | undefined;
}

const TIMES = ['hold', 'warmup', 'max_hold', 'maturity', 'watch', 'cooldown', 'bake'] as const;

/** Throws HR_INVALID. */
export function readAsked(asked: AskedRollout): StartRollout {
  const mistakes: ErrorDetail[] = [];
  const micros = (name: (typeof TIMES)[number]): Micros | undefined => {
    const text = asked[name];
    if (text === undefined) return undefined;
    const read = parseDuration(text);
    if (read === undefined)
      mistakes.push({ path: name, message: `expected a time such as 10m, got "${text.slice(0, 40)}"` });
    return read;
  };
  const start: StartRollout = {
    endpoint: asked.endpoint,
    candidate: asked.candidate,
    plan: asked.plan,
    force: asked.force,
    steps: asked.steps,
    holdMicros: micros('hold'),
    warmupMicros: micros('warmup'),
    minUnits: asked.min_units,
    maxHoldMicros: micros('max_hold'),
    guards: asked.guards,
    onBlind: asked.on_blind,
    maturityMicros: micros('maturity'),
    watchMicros: micros('watch'),
    cooldownMicros: micros('cooldown'),
    bakeMicros: micros('bake'),
  };
  if (mistakes.length > 0) throw invalid(mistakes);
  return start;
}

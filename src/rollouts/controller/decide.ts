// The state machine of a rollout, pure: from its row and what is seen now to the one thing that is done next. Time comes in as
// what has passed since the last look, so clocks that jump move nothing.

import { formatDuration, type Micros, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../core/index.ts';
import { sayFigures } from './guardrail-words.ts';
import { type Guardrail, type Rollout, type RolloutState, weightAt } from './rollout.ts';

/** What the registry says of the traffic that the rollout asked for last. */
export type SeenTraffic =
  /** Another's change stands in its place, or the endpoint is gone. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** Somebody overrode it, and servers are still loading that; what there was goes on until then. */
  | { readonly kind: 'beside' }
  /** Somebody overrode it: that is active, and the rollout has the traffic still. */
  | ({ readonly kind: 'overridden' } & Overridden)
  /** Live servers that have yet to load it. */
  | { readonly kind: 'preparing'; readonly waitsFor: readonly string[] }
  | { readonly kind: 'failed'; readonly reason: string }
  /** Live servers that do not answer by it yet. */
  | { readonly kind: 'active'; readonly waitsFor: readonly string[] };

/** The traffic as somebody else set it, beside the rollout's split or with other weights of its arms. */
export interface Overridden {
  readonly revision: number;
  /** Percent that the candidate has. */
  readonly weight: number;
  readonly actor: string;
  readonly reason: string | null;
}

export interface Seen {
  readonly traffic: SeenTraffic;
  readonly guardrails: readonly Guardrail[];
  /** Since the last look. */
  readonly passedMicros: Micros;
}

export type Command =
  /** Asks for the weights of a step. */
  | { readonly kind: 'ask'; readonly step: number; readonly reason: string | null }
  | { readonly kind: 'move'; readonly to: RolloutState; readonly reason: string | null }
  | { readonly kind: 'pause'; readonly reason: string }
  /** All traffic to stable at once. */
  | { readonly kind: 'rollback'; readonly reason: string }
  /** All traffic to the candidate, under stable's name. */
  | { readonly kind: 'promote'; readonly reason: string | null }
  /** Goes on by the traffic that somebody else set. */
  | { readonly kind: 'take up'; readonly overridden: Overridden }
  /** Somebody else has the traffic. */
  | { readonly kind: 'abort'; readonly reason: string }
  /** After promotion: the watch is over, or found what can't be taken back any more. */
  | { readonly kind: 'end'; readonly alert: string | null }
  /** Stays, and the history says what began or is over. */
  | { readonly kind: 'note'; readonly reason: string; readonly isOver: boolean; readonly progress: Progress }
  | { readonly kind: 'stay'; readonly progress: Progress };

export interface Progress {
  readonly heldMicros: Micros;
  readonly stepMicros: Micros;
  readonly blindMicros: Micros;
}

/** A look that comes later than this counts as this: nobody watched in between. */
export const MOST_PASSED_MICROS: Micros = 10 * MICROS_PER_SECOND;
export const BLIND_MICROS: Micros = 5 * MICROS_PER_MINUTE;

export function decide(rollout: Rollout, seen: Seen): Command {
  const { state, plan } = rollout;
  if (state === 'rolled_back' || state === 'aborted') return { kind: 'end', alert: null };
  const { traffic, guardrails } = seen;
  if (state === 'promoted') return afterPromotion(rollout, seen);
  if (state === 'rolling_back') return rollingBack(rollout, seen);
  if (traffic.kind === 'lost') return { kind: 'abort', reason: traffic.reason };
  const breach = breachOf(guardrails);
  const isHeld = state === 'paused' && rollout.pausedBy === 'person';
  // Of a person's pause the guards say what they see, and no more.
  if (breach !== undefined && !isHeld) return { kind: 'rollback', reason: breach };
  if (traffic.kind === 'overridden') return { kind: 'take up', overridden: traffic };
  if (state === 'pending' && traffic.kind !== 'beside') return { kind: 'ask', step: 1, reason: null };
  if (traffic.kind === 'failed' && state === 'preparing')
    return { kind: 'rollback', reason: `version ${rollout.candidate} can not be served: ${traffic.reason}` };
  const progress = progressOf(rollout, seen);
  if (state === 'paused') return { kind: 'stay', progress };
  if (progress.blindMicros >= BLIND_MICROS && plan.onBlind === 'rollback')
    return { kind: 'rollback', reason: `blind for ${formatDuration(BLIND_MICROS)}: ${blindOf(guardrails) ?? ''}` };
  // Weights that were set now would take back what somebody asked for.
  const next = traffic.kind === 'beside' ? undefined : nextOf(rollout, seen, progress);
  if (next !== undefined) return next;
  if (progress.stepMicros >= plan.maxHoldMicros)
    return {
      kind: 'pause',
      reason: `not decided after ${formatDuration(plan.maxHoldMicros)}: ${undecidedOf(rollout, seen)}`,
    };
  const isBlind = progress.blindMicros >= BLIND_MICROS;
  if (isBlind === rollout.blindMicros >= BLIND_MICROS) return { kind: 'stay', progress };
  const reason = isBlind
    ? `blind for ${formatDuration(BLIND_MICROS)}, held where it is: ${blindOf(guardrails) ?? ''}`
    : 'no longer blind';
  return { kind: 'note', reason, isOver: !isBlind, progress };
}

/** What a step that is not left yet waits for, for people. */
export function undecidedOf(rollout: Rollout, { traffic, guardrails }: Pick<Seen, 'traffic' | 'guardrails'>): string {
  if (traffic.kind === 'preparing') return `${traffic.waitsFor.join(', ') || 'servers'} have yet to load the candidate`;
  if (traffic.kind === 'beside') return 'servers have yet to load what somebody set beside it';
  if (traffic.kind === 'active' && traffic.waitsFor.length > 0)
    return `${traffic.waitsFor.join(', ')} do not answer by the new weights yet`;
  const open = guardrails.filter(({ verdict }) => verdict !== 'healthy');
  if (open.length === 0) return `${rollout.state} goes on`;
  return open.map(({ metric, verdict, evidence }) => `${metric} is ${verdict}${because(evidence)}`).join('; ');
}

export function breachOf(guardrails: readonly Guardrail[]): string | undefined {
  const breached = guardrails.filter(({ verdict }) => verdict === 'breached');
  if (breached.length === 0) return undefined;
  return breached.map(describeBreach).join('; ');
}

function nextOf(rollout: Rollout, { traffic, guardrails }: Seen, progress: Progress): Command | undefined {
  const { state, plan, step } = rollout;
  const isSettled = traffic.kind === 'active' && traffic.waitsFor.length === 0;
  if (state === 'preparing')
    return traffic.kind === 'active' ? { kind: 'move', to: 'settling', reason: null } : undefined;
  if (state === 'settling') {
    if (!isSettled || progress.heldMicros < plan.warmupMicros) return undefined;
    return { kind: 'move', to: weightAt(rollout, step) === 100 ? 'baking' : 'watching', reason: null };
  }
  if (!guardrails.every(({ verdict }) => verdict === 'healthy')) return undefined;
  if (state === 'baking') return progress.heldMicros < plan.bakeMicros ? undefined : { kind: 'promote', reason: null };
  return progress.heldMicros < plan.holdMicros ? undefined : { kind: 'ask', step: step + 1, reason: null };
}

function rollingBack(rollout: Rollout, { traffic }: Seen): Command {
  const { heldMicros, stepMicros, blindMicros } = rollout;
  if (traffic.kind === 'failed') return { kind: 'abort', reason: `stable can not be served again: ${traffic.reason}` };
  // The rollout let go of it: another's change takes the candidate's traffic as well.
  if (traffic.kind === 'lost' || (traffic.kind === 'active' && traffic.waitsFor.length === 0))
    return { kind: 'move', to: 'rolled_back', reason: rollout.reason };
  return { kind: 'stay', progress: { heldMicros, stepMicros, blindMicros } };
}

function afterPromotion(rollout: Rollout, seen: Seen): Command {
  const { traffic, guardrails } = seen;
  const progress = progressOf(rollout, seen);
  const breach = breachOf(guardrails);
  if (breach !== undefined) {
    // Whoever changed the traffic since decides about it.
    if (traffic.kind === 'active') return { kind: 'rollback', reason: `after promotion: ${breach}` };
    return { kind: 'end', alert: `after promotion, with other traffic by now: ${breach}` };
  }
  return progress.stepMicros >= rollout.plan.watchMicros ? { kind: 'end', alert: null } : { kind: 'stay', progress };
}

function progressOf(rollout: Rollout, { traffic, guardrails, passedMicros }: Seen): Progress {
  const passed = Math.min(Math.max(passedMicros, 0), MOST_PASSED_MICROS);
  const isBlind = blindOf(guardrails) !== undefined;
  const isSettled = traffic.kind === 'active' && traffic.waitsFor.length === 0;
  const counts = rollout.state === 'settling' ? isSettled : rollout.state !== 'paused' && !isBlind;
  return {
    heldMicros: rollout.heldMicros + (counts ? passed : 0),
    stepMicros: rollout.stepMicros + (rollout.state === 'paused' ? 0 : passed),
    blindMicros: isBlind ? rollout.blindMicros + passed : 0,
  };
}

function blindOf(guardrails: readonly Guardrail[]): string | undefined {
  const blind = guardrails.find(({ verdict }) => verdict === 'blind');
  return blind === undefined ? undefined : `${blind.metric}${because(blind.evidence)}`;
}

function describeBreach(guardrail: Guardrail): string {
  const { metric, evidence } = guardrail;
  const { is, allowed } = sayFigures(guardrail);
  const { candidate_events: candidate, stable_events: stable } = evidence;
  const events =
    typeof candidate === 'number' ? ` (${candidate} units at the candidate, ${Number(stable)} at stable)` : '';
  return `${metric}${is === null ? '' : ` is ${is}`}${allowed === null ? '' : `, allowed ${allowed}`}${events}${because(evidence)}`;
}

function because({ why }: Guardrail['evidence']): string {
  return typeof why === 'string' ? ` (${why})` : '';
}

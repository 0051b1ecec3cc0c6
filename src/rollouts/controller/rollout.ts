// A rollout as its row has it: where it stands, by which plan, and what was seen last. Plain data, from which any process can go
// on.

import type { Json, Micros } from '../../core/index.ts';
import type { TrafficOwner } from '../../registry/index.ts';
import type { RolloutPlan } from './plan.ts';

export type RolloutState =
  | 'pending'
  | 'preparing'
  | 'settling'
  | 'watching'
  | 'baking'
  | 'promoted'
  | 'paused'
  | 'rolling_back'
  | 'rolled_back'
  | 'aborted';

/** Whose rows the audit log and the history have where no person acted. */
export const CONTROLLER = 'rollout controller';

export type Verdict = 'healthy' | 'breached' | 'undecided' | 'blind';

export interface Guardrail {
  /** As the guard names it; `srm`, `breaker` and `servers` are watched always. */
  readonly metric: string;
  readonly verdict: Verdict;
  /** As it was written: .01, "+20%", or of latency "50ms". */
  readonly limit: number | string | null;
  /** The candidate's rate, or how much it has more than stable; null where nothing can be said. */
  readonly value: number | null;
  readonly evidence: { readonly [name: string]: Json };
}

/** One time of certain weights: all requests that were assigned by this revision of the traffic. */
export interface Phase {
  readonly revision: number;
  /** Percent that the candidate has. */
  readonly weight: number;
  /** Since when it was active; null until the rollout has heard of it. */
  readonly fromMicros: Micros | null;
  /** Units that had an event of a kind in the warm-up: they count for nothing. Null until it is over. */
  readonly warm: WarmEvents | null;
}

export interface WarmEvents {
  readonly error: readonly number[];
  readonly slow: readonly number[];
  readonly null: readonly number[];
}

export const NOTHING_WARM: WarmEvents = { error: [], slow: [], null: [] };

export interface Rollout {
  readonly id: string;
  readonly endpoint: string;
  readonly candidate: number;
  readonly stable: number;
  /** Names of the two variants. */
  readonly stableName: string;
  readonly candidateName: string;
  readonly plan: RolloutPlan;
  readonly state: RolloutState;
  /** Which of the plan's steps is on, from 1; 0 before the first. */
  readonly step: number;
  /** Grows with each transition. */
  readonly stateVersion: number;
  /** Of the controller that wrote it last. */
  readonly leaseEpoch: number;
  /** Of the traffic that it asked for last. */
  readonly revision: number | null;
  readonly phases: readonly Phase[];
  /** Time that counted for the state: watched without being blind, or warmed up with every server settled. */
  readonly heldMicros: Micros;
  /** Time in the step, whatever counted. */
  readonly stepMicros: Micros;
  /** For how long it has been blind without end. */
  readonly blindMicros: Micros;
  /** When a controller looked at it last. */
  readonly lookedMicros: Micros | null;
  readonly reason: string | null;
  readonly guardrails: readonly Guardrail[];
  readonly pausedFrom: RolloutState | null;
  /** A person's pause holds whatever the guards say. */
  readonly pausedBy: 'person' | 'controller' | null;
  /** A request of stable's or the candidate's that takes longer is slow; null until it is known. */
  readonly slowLimitMicros: number | null;
  readonly slowSetMicros: Micros | null;
  readonly createdMicros: Micros;
  readonly createdBy: string;
  /** Null while something is still to be done or watched. */
  readonly endedMicros: Micros | null;
}

export interface RolloutEvent {
  readonly atMicros: Micros;
  readonly from: RolloutState | null;
  readonly to: RolloutState;
  readonly reason: string | null;
  readonly actor: string;
}

/** Nothing moves a rollout out of these but its watch after promotion. */
export const ENDED: readonly RolloutState[] = ['promoted', 'rolled_back', 'aborted'];

/** What the candidate has by the plan's step. */
export function weightAt({ plan }: Pick<Rollout, 'plan'>, step: number): number {
  return step === 0 ? 0 : (plan.steps[step - 1] ?? 100);
}

/** As the endpoint has it. */
export function trafficOwner({
  id,
  candidate,
  candidateName,
}: Pick<Rollout, 'id' | 'candidate' | 'candidateName'>): TrafficOwner {
  return { id, candidate: { name: candidateName, version: candidate } };
}

/** The states that each may be followed by; what a person does is in it. */
export const FOLLOWING: Readonly<Record<RolloutState, readonly RolloutState[]>> = {
  pending: ['preparing', 'paused', 'rolling_back', 'aborted'],
  preparing: ['settling', 'pending', 'watching', 'paused', 'rolling_back', 'promoted', 'aborted'],
  settling: ['watching', 'baking', 'paused', 'rolling_back', 'promoted', 'aborted'],
  watching: ['preparing', 'paused', 'rolling_back', 'promoted', 'aborted'],
  baking: ['promoted', 'paused', 'rolling_back', 'aborted'],
  paused: ['pending', 'preparing', 'settling', 'watching', 'baking', 'rolling_back', 'promoted', 'aborted'],
  rolling_back: ['rolled_back', 'aborted'],
  promoted: ['rolling_back'],
  rolled_back: [],
  aborted: [],
};

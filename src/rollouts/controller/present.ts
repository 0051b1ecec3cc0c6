// A rollout as `status --json` and GET /v1/rollouts/{id} tell it.

import { formatTimestamp, type Json } from '../../core/index.ts';
import type { ShownRollout } from './operate.ts';
import type { RolloutState, Verdict } from './rollout.ts';

export interface RolloutStatus {
  readonly id: string;
  readonly endpoint: string;
  readonly candidate: number;
  readonly state: RolloutState;
  /** Which of the plan's steps is on, from 1; 0 before the first. */
  readonly step: number;
  /** Percent by variant. */
  readonly weights: Readonly<Record<string, number>>;
  readonly reason: string | null;
  readonly guardrails: readonly {
    readonly metric: string;
    readonly verdict: Verdict;
    readonly limit: number | string | null;
    readonly value: number | null;
    readonly evidence: { readonly [name: string]: Json };
  }[];
  readonly history: readonly {
    readonly at: string;
    readonly from: RolloutState | null;
    readonly to: RolloutState;
    readonly reason: string | null;
    readonly actor: string;
  }[];
}

export function presentRollout({ rollout, events, weights, stopped }: ShownRollout): RolloutStatus {
  const { id, endpoint, candidate, state, step, guardrails } = rollout;
  return {
    id,
    endpoint,
    candidate,
    state,
    step,
    weights,
    reason: stopped ?? rollout.reason ?? waitsFor(rollout),
    guardrails: guardrails.map(({ metric, verdict, limit, value, evidence }) => ({
      metric,
      verdict,
      limit,
      value,
      evidence,
    })),
    history: events.map(({ atMicros, from, to, reason, actor }) => ({
      at: formatTimestamp(atMicros),
      from,
      to,
      reason,
      actor,
    })),
  };
}

/** What a step still lacks, of one that goes on. */
function waitsFor({ endedMicros, state, guardrails }: ShownRollout['rollout']): string | null {
  if (endedMicros !== null || (state !== 'watching' && state !== 'baking')) return null;
  const open = guardrails.filter(({ verdict }) => verdict !== 'healthy');
  if (open.length === 0) return null;
  const told = new Set(
    open.map(({ metric, verdict, evidence: { why } }) => (typeof why === 'string' ? why : `${metric} is ${verdict}`)),
  );
  return `waits: ${[...told].join('; ')}`;
}

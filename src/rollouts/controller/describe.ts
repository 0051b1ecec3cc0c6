// A rollout in words, for terminals.

import { formatDuration, formatTimestamp } from '../../core/index.ts';
import { describeGuardrails } from './guardrail-words.ts';
import type { ShownRollout } from './operate.ts';
import { presentRollout } from './present.ts';
import type { Rollout } from './rollout.ts';

/** Where it stands, what the guardrails say, and what happened. */
export function describeRollout(shown: ShownRollout): string {
  const { rollout, events, stopped } = shown;
  const { id, endpoint, candidate, stable, plan } = rollout;
  const lines = [
    `Rollout ${id} of version ${candidate} at endpoint ${endpoint}, against version ${stable}`,
    describeStep(shown),
    `plan ${plan.name ?? 'by hand'}: steps ${plan.steps.join(', ')} %, each at least ${formatDuration(plan.holdMicros)} and ${plan.minUnits} units`,
    ...(stopped === null ? [] : [stopped]),
    ...describeGuardrails(rollout.guardrails),
    '',
    ...events.map(
      ({ atMicros, to, reason, actor }) =>
        `${formatTimestamp(atMicros)}  ${to}${reason === null ? '' : `: ${reason}`} (${actor})`,
    ),
  ];
  return lines.join('\n');
}

/** One line. */
export function describeStep(shown: ShownRollout): string {
  const { rollout, weights } = shown;
  const { state, step, plan, heldMicros } = rollout;
  const shares = Object.entries(weights).map(([name, weight]) => `${name} ${weight} %`);
  const { reason } = presentRollout(shown);
  return [
    state,
    ...(step === 0 ? [] : [`step ${step} of ${plan.steps.length}`]),
    ...(shares.length === 0 ? [] : [shares.join(', ')]),
    ...heldOf(state, heldMicros, plan),
    ...(reason === null ? [] : [reason]),
  ].join(' · ');
}

function heldOf(state: Rollout['state'], heldMicros: number, plan: Rollout['plan']): string[] {
  if (state !== 'watching' && state !== 'baking') return [];
  const of = state === 'watching' ? plan.holdMicros : plan.bakeMicros;
  const held = Math.min(heldMicros, of);
  return [`${formatDuration(held - (held % 1_000_000))} of ${formatDuration(of)}`];
}

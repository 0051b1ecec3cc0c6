// What a guardrail's figures are called: the same number is a share, an excess or a count of units, by the guard.

import { describe, expect, it } from 'vitest';
import { limitOf } from '../../src/rollouts/controller/event-evidence.ts';
import { parseGuards } from '../../src/rollouts/controller/guard.ts';
import { describeGuardrails, sayFigures } from '../../src/rollouts/controller/guardrail-words.ts';
import type { Guardrail } from '../../src/rollouts/controller/rollout.ts';

describe('a guardrail in words', () => {
  it.each([
    ['error_rate<0.01', 0.0234, { is: '0.0234', allowed: '0.01' }],
    ['error_rate<+20%', 0.568, { is: '+56.8%', allowed: '+20%' }],
    ['outcome>-5%', -0.0775, { is: '-7.75%', allowed: '-5%' }],
    ['latency<50ms', 0.0312, { is: '3.12%', allowed: '1% past 50ms' }],
    ['latency<+40%', 0.9, { is: '+90%', allowed: '+0% past p99 +40%' }],
    ['latency<+40%', null, { is: null, allowed: '+0% past p99 +40%' }],
  ])('%s at %d', (text, value, words) => {
    const [guard] = parseGuards([text], [], []);
    if (guard === undefined) throw new Error(`no guard ${text}`);
    expect(sayFigures({ metric: guard.name, limit: limitOf(guard), value })).toEqual(words);
  });

  it('stand in columns, with what they rest on and where the test breaches', () => {
    const guardrails: readonly Guardrail[] = [
      {
        metric: 'outcome',
        verdict: 'healthy',
        limit: '+20%',
        value: 0.404,
        evidence: { e: 0.498, breach_at: 80, candidate_events: 51, stable_events: 170 },
      },
      {
        metric: 'slow_rate',
        verdict: 'breached',
        limit: '+20%',
        value: null,
        evidence: { e: 1.59e8, breach_at: 80, candidate_events: 14, stable_events: 0 },
      },
      {
        metric: 'srm',
        verdict: 'healthy',
        limit: null,
        value: 0.0971,
        evidence: { e: 0.0000042, breach_at: 1000, candidate_units: 186, stable_units: 1723 },
      },
      {
        metric: 'servers',
        verdict: 'blind',
        limit: null,
        value: null,
        evidence: { why: 'nothing came for 30 s from a' },
      },
    ];
    expect(describeGuardrails(guardrails)).toEqual([
      'GUARD      VERDICT   IS      ALLOWED  CANDIDATE  STABLE  EVIDENCE',
      'outcome    healthy   +40.4%  +20%     51         170     0.498 of 80',
      'slow_rate  breached          +20%     14         0       2e8 of 80',
      'srm        healthy   9.71%            186        1723    <0.001 of 1000',
      'servers    blind                                                         nothing came for 30 s from a',
    ]);
    expect(describeGuardrails([])).toEqual([]);
  });
});

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
    const rests = (e: number, breach_at: number, of: string, candidate: number, stable: number) => {
      return { e, breach_at, [`candidate_${of}`]: candidate, [`stable_${of}`]: stable };
    };
    const [healthy, breached] = ['healthy', 'breached'] as const;
    const guardrails: readonly Guardrail[] = [
      ['outcome', healthy, '+20%', 0.404, rests(0.498, 80, 'events', 51, 170)] as const,
      ['slow_rate', breached, '+20%', null, rests(1.59e8, 80, 'events', 14, 0)] as const,
      ['srm', healthy, null, 0.0971, rests(0.0000042, 1000, 'units', 186, 1723)] as const,
      ['servers', 'blind', null, null, { why: 'nothing came for 30 s from a' }] as const,
    ].map(([metric, verdict, limit, value, evidence]) => ({ metric, verdict, limit, value, evidence }));
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

// Plans and guards of rollouts, as people write them.

import { describe, expect, it } from 'vitest';
import type { ErrorDetail } from '../../src/core/index.ts';
import { parseGuards } from '../../src/rollouts/controller/guard.ts';
import { compilePlan } from '../../src/rollouts/controller/plan.ts';

const parse = (...texts: string[]) => {
  const mistakes: ErrorDetail[] = [];
  const guards = parseGuards(texts, ['converted'], mistakes);
  return { guards, mistakes: mistakes.map(({ message }) => message) };
};

describe('a guard', () => {
  it.each([
    ['error_rate<0.01', 'error_rate', 'rise', { kind: 'limit', value: 0.01 }],
    ['error_rate<1%', 'error_rate', 'rise', { kind: 'limit', value: 0.01 }],
    ['error_rate<+20%', 'error_rate', 'rise', { kind: 'relative', tolerance: 0.2 }],
    [' null_rate < +5 % ', 'null_rate', 'rise', { kind: 'relative', tolerance: 0.05 }],
    ['latency<50ms', 'latency', 'rise', { kind: 'limit', value: 50_000 }],
    ['latency<+25%', 'latency', 'rise', { kind: 'relative', tolerance: 0.25 }],
    ['outcome>-10%', 'outcome', 'drop', { kind: 'relative', tolerance: -0.1 }],
    ['converted>0.02', 'outcome', 'drop', { kind: 'limit', value: 0.02 }],
  ])('%s is read', (text, metric, direction, bound) => {
    expect(parse(text)).toMatchObject({ guards: [{ text, metric, direction, bound }], mistakes: [] });
  });

  it.each([
    ['error_rate', 'expected a guard such as'],
    ['eror_rate<0.1', 'Did you mean "error_rate"'],
    ['error_rate>0.1', 'less of error_rate is no harm'],
    ['error_rate<2', 'between 0 and 1'],
    ['error_rate<0', 'between 0 and 1'],
    ['error_rate<-5%', 'how far it may go the bad way'],
    ['error_rate<+0.2', 'is in percent'],
    ['error_rate<5ms', 'not a time'],
    ['outcome>-100%', 'all there is'],
    ['latency<50', 'has a unit'],
  ])('%s is refused', (text, says) => {
    expect(parse(text)).toMatchObject({ guards: [], mistakes: [expect.stringContaining(says)] });
  });

  it('is refused twice, and latency beside slow_rate', () => {
    expect(parse('error_rate<0.1', 'error_rate<+5%').mistakes).toEqual([expect.stringContaining('guarded twice')]);
    expect(parse('latency<50ms', 'slow_rate<+5%').mistakes).toEqual([expect.stringContaining('keep one of them')]);
  });
});

describe('a plan', () => {
  it('has the defaults, and 100 as its last step', () => {
    const guards = ['error_rate', 'slow_rate', 'null_rate'].map((metric) => `${metric}<+20%`);
    const times = { holdMicros: 600e6, warmupMicros: 30e6, maxHoldMicros: 86_400e6, bakeMicros: 600e6 };
    const rest = { maturityMicros: 0, watchMicros: 0, cooldownMicros: 3_600e6, onBlind: 'hold', outcomes: [] };
    const plan = { name: null, steps: [10, 20, 100], minUnits: 200, guards, ...times, ...rest };
    expect(compilePlan({ steps: [10, 20] }, undefined)).toEqual(plan);
  });

  it('goes by the repository’s where nothing else is said', () => {
    const own = { minUnits: 5, guards: ['error_rate<0.5'] };
    const named = { ...compilePlan(own, undefined), name: 'careful', endpoint: 'e' };
    expect(compilePlan({ holdMicros: 1 }, named)).toMatchObject({ name: 'careful', holdMicros: 1, ...own });
  });

  it('tells every mistake', () => {
    const bad = { steps: [0, 5, 5, 120], holdMicros: -1, minUnits: 1.5, guards: ['x<1'] };
    expect(() => compilePlan(bad, undefined)).toThrow(
      expect.objectContaining({
        details: ['steps[0]', 'steps[2]', 'steps[3]', 'guards[0]', 'holdMicros', 'bakeMicros', 'minUnits'].map((path) =>
          expect.objectContaining({ path }),
        ),
      }),
    );
  });
});

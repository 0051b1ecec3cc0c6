import { describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import type { PipelineSpec, StepSpec } from '../../src/definitions/index.ts';
import { describeDifference } from '../../src/registry/definitions/difference.ts';

const step = (name: string, more: Partial<StepSpec> = {}, code = 'a'): StepSpec => {
  const action = { kind: 'task', function: { id: `pipeline/train/${name}`, hash: code.repeat(64) } } as const;
  return { name, action, needs: {}, retry: 0, timeoutMicros: null, resources: {}, ...more };
};
const train: PipelineSpec = {
  name: 'train',
  schedule: '0 3 * * *',
  params: [{ name: 'seed', type: { kind: 'int32' } }],
  steps: [step('fit'), step('best')],
};

describe('the lines that tell two specs apart', () => {
  it('name what came, went and changed, with durations and types as users write them', () => {
    const after = {
      ...train,
      schedule: '0 4 * * *',
      description: 'Trains',
      params: [
        { name: 'seed', type: { kind: 'int64' } },
        { name: 'trees', type: { kind: 'int32' } },
      ],
      steps: [step('fit', { timeoutMicros: 1.5 * MICROS_PER_HOUR, retry: 2 })],
    };
    expect(describeDifference(train, after)).toEqual([
      'schedule: "0 3 * * *" → "0 4 * * *"',
      'params.seed.type: int32 → int64',
      'params.trees: + int32',
      'steps.fit.retry: 0 → 2',
      'steps.fit.timeoutMicros: + 1h30m',
      expect.stringMatching(/^steps\.best: - \{"action":/),
      'description: + "Trains"',
    ]);
  });

  it('tell a new order from new items', () => {
    expect(describeDifference(train, { ...train, steps: [step('best'), step('fit')] })).toEqual([
      'steps: order fit, best → best, fit',
    ]);
  });

  it('say that code changed, not how', () => {
    expect(describeDifference(train, { ...train, steps: [step('fit'), step('best', {}, 'b')] })).toEqual([
      'steps.best.action.function: code aaaaaaaa → code bbbbbbbb',
    ]);
  });

  it.each<[string, unknown, unknown, string]>([
    ['a vector', { kind: 'vector', size: 3 }, { kind: 'vector', size: 4 }, 'args.x: vector(3) → vector(4)'],
    [
      'data like a vector',
      { kind: 'vector', size: 'big' },
      { kind: 'vector', size: 'small' },
      'args.x.size: "big" → "small"',
    ],
    ['data like a list', { kind: 'list', of: 'big' }, { kind: 'list', of: 'small' }, 'args.x.of: "big" → "small"'],
  ])('compare a type whole, and data that only resembles one by member: %s', (_what, before, after, expected) => {
    expect(describeDifference({ args: { x: before } }, { args: { x: after } })).toEqual([expected]);
  });
});

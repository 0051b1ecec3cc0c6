// What a model counts is rows: each row that came is answered, failed or refused once, whatever became of its work meanwhile.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOnnxRuntime } from '../../src/models/index.ts';
import { lookUpModel } from '../support/onnx-model.ts';
import { scopeOf, submitRows } from '../support/model-works.ts';
import { runs } from '../support/tier.ts';

/** The look-up has a hundred places: the last value is beyond them. */
const BEYOND = 1000;
const work = fc.record({
  rows: fc.array(fc.constantFrom(1, 2, 3, BEYOND), { minLength: 1, maxLength: 7 }),
  fate: fc.constantFrom('runs', 'runs', 'runs', 'late', 'cancelled'),
});

describe.each([
  ['on the event loop', { inlineMicros: 1e6 }],
  ['in threads', { inlineMicros: -1 }],
])('the counts of a model %s', (_where, options) => {
  it('are rows, and add up to those that came', async () => {
    const limits = { maxBatchRows: 4, maxQueuedRows: 20 };
    const model = await createOnnxRuntime({ ...options, ...limits }).load(lookUpModel(), {
      providers: ['cpu'],
      mayBlock: true,
    });
    const expected = { rows: 0, failures: 0, refused: 0 };
    const tell = async (rows: readonly number[], fate: string): Promise<void> => {
      const scope = scopeOf(fate === 'late' ? { timeoutMs: -1 } : {});
      const told = submitRows(
        model,
        rows.map((row) => [row]),
        scope,
      );
      if (fate === 'cancelled') scope.cancel();
      const code = await told.then(
        () => 'answered',
        (thrown: { code: string }) => thrown.code,
      );
      const count = code === 'answered' ? 'rows' : code === 'HR_INFERENCE_FAILED' ? 'failures' : 'refused';
      expected[count] += rows.length;
    };
    await fc.assert(
      fc.asyncProperty(fc.array(work, { maxLength: 12 }), async (works) => {
        await Promise.all(works.map(({ rows, fate }) => tell(rows, fate)));
        const { rows, failures, refused } = model.statistics();
        const all = Object.values(refused).reduce((sum, count) => sum + count, 0);
        expect({ rows, failures, refused: all }).toEqual(expected);
      }),
      { numRuns: runs(60) },
    );
    expect(Math.min(...Object.values(expected))).toBeGreaterThan(0);
    await model.close();
    await tell([1, 2, 3], 'runs');
    expect(model.statistics()).toMatchObject({ queuedRows: 0, runningRows: 0, refused: { closed: 3 } });
  });
});

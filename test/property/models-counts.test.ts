// What a model counts is rows: each row that came is answered, failed or refused once, whatever became of its work meanwhile, and
// whether or not the bad rows of a request are looked for.

import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Value } from '../../src/core/index.ts';
import { type BatchInput, createOnnxRuntime, type Tensor } from '../../src/models/index.ts';
import { inferRows } from '../../src/serving/arm-run.ts';
import type { ServedModel } from '../../src/serving/served-models.ts';
import { lookUpModel } from '../support/onnx-model.ts';
import { scopeOf, submitRows } from '../support/model-works.ts';
import { runs } from '../support/tier.ts';

/** The look-up has a hundred places: the last value is beyond them, and the runtime throws. */
const BEYOND = 1000;
const work = fc.record({
  rows: fc.array(fc.constantFrom(1, 2, 3, BEYOND), { minLength: 1, maxLength: 7 }),
  fate: fc.constantFrom('runs', 'runs', 'runs', 'late', 'cancelled'),
});
const EACH_FATE: { rows: (1 | 2 | 3 | typeof BEYOND)[]; fate: 'runs' | 'late' | 'cancelled' }[] = [
  { rows: [1], fate: 'runs' },
  { rows: [BEYOND], fate: 'runs' },
  { rows: [1], fate: 'late' },
];
const requests = fc.array(fc.array(fc.constantFrom(1, 2, 3, 4, 5, BEYOND), { minLength: 1, maxLength: 9 }), {
  minLength: 1,
  maxLength: 6,
});
/** As far as running looks at it. */
const binding = {
  check: () => undefined,
  bindRow: (values: readonly Value[], inputs: readonly BatchInput[], place: number) =>
    (inputs[0]?.data as Float32Array | undefined)?.set([Number(values[0])], place),
  readRow: (outputs: readonly Tensor[], place: number) => [Number(outputs[0]?.data[place])],
  rowShapes: undefined,
};

describe.each([
  ['on the event loop', { inlineMicros: 1e6 }],
  ['in threads', { inlineMicros: -1 }],
])('the counts of a model %s', (_where, options) => {
  const load = async (limits: object) => {
    const runtime = createOnnxRuntime({ ...options, ...limits });
    const model = await runtime.load(lookUpModel(), { providers: ['cpu'], mayBlock: true });
    onTestFinished(() => model.close());
    return model;
  };

  it('are rows, and add up to those that came', async () => {
    const model = await load({ maxBatchRows: 4, maxQueuedRows: 20 });
    const expected = { rows: 0, failures: 0, refused: 0 };
    const tell = async (rows: readonly number[], fate: string): Promise<void> => {
      const scope = scopeOf(fate === 'late' ? { timeoutMs: -1 } : {});
      const all = rows.map((row) => [row]);
      const told = submitRows(model, all, scope).then(
        () => 'rows' as const,
        ({ code }: { code: string }) => (code === 'HR_INFERENCE_FAILED' ? 'failures' : 'refused'),
      );
      if (fate === 'cancelled') scope.cancel();
      expected[await told] += rows.length;
    };
    await fc.assert(
      fc.asyncProperty(fc.array(work, { maxLength: 12 }), async (works) => {
        await Promise.all(works.map(({ rows, fate }) => tell(rows, fate)));
        const { rows, failures, refused } = model.statistics();
        const all = Object.values(refused).reduce((sum, count) => sum + count, 0);
        expect({ rows, failures, refused: all }).toEqual(expected);
      }),
      { numRuns: runs(60), examples: [[EACH_FATE]] },
    );
    expect(Math.min(...Object.values(expected))).toBeGreaterThan(0);
    await model.close();
    await tell([1, 2, 3], 'runs');
    expect(model.statistics()).toMatchObject({ queuedRows: 0, runningRows: 0, refused: { closed: 3 } });
  });

  it('are the rows that were answered, and those that were not, where bad ones are looked for', async () => {
    const loaded = await load({ maxBatchRows: 6 });
    const infer = async (values: readonly number[]) => {
      const rows = values.map((value) => ({ values: [value], statuses: [], reads: [] }));
      return (await inferRows({ loaded, binding } as unknown as ServedModel, rows, scopeOf())).map(
        ({ error }) => error,
      );
    };
    const told = (await infer([1, BEYOND, 2, 3])).map((error) => error?.code);
    expect(told).toEqual([undefined, 'HR_INFERENCE_FAILED', undefined, undefined]);
    const expected = { rows: 3, failures: 1 };
    expect(loaded.statistics()).toMatchObject(expected);
    await fc.assert(
      fc.asyncProperty(requests, async (all) => {
        const answers = await Promise.all(all.map(infer));
        for (const error of answers.flat()) expected[error === undefined ? 'rows' : 'failures']++;
        expect(loaded.statistics()).toMatchObject(expected);
      }),
      { numRuns: runs(40) },
    );
  });
});

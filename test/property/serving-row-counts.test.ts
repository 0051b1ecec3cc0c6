// What a model counts of requests whose bad rows are looked for: each row once, by what became of it in the end.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/core/index.ts';
import { type BatchInput, createOnnxRuntime, type LoadedModel, type Tensor } from '../../src/models/index.ts';
import { inferRows } from '../../src/serving/arm-run.ts';
import type { ServedModel } from '../../src/serving/served-models.ts';
import { lookUpModel } from '../support/onnx-model.ts';
import { scopeOf } from '../support/model-works.ts';
import { runs } from '../support/tier.ts';

/** Outside of the look-up: the runtime throws. */
const BEYOND = 1000;
const requests = fc.array(fc.array(fc.constantFrom(1, 2, 3, 4, 5, BEYOND), { minLength: 1, maxLength: 9 }), {
  minLength: 1,
  maxLength: 6,
});

describe.each([
  ['on the event loop', { inlineMicros: 1e6 }],
  ['in threads', { inlineMicros: -1 }],
])('the counts of a model %s', (_where, options) => {
  const load = (): Promise<LoadedModel> =>
    createOnnxRuntime({ ...options, maxBatchRows: 6 }).load(lookUpModel(), { providers: ['cpu'], mayBlock: true });

  it('have one bad row among four once, and the others as answered', async () => {
    const loaded = await load();
    const answered = await inferRows(servedOf(loaded), rowsOf([1, BEYOND, 2, 3]), scopeOf());
    expect(answered.map(({ error }) => error?.code ?? 'answered')).toEqual([
      'answered',
      'HR_INFERENCE_FAILED',
      'answered',
      'answered',
    ]);
    expect(loaded.statistics()).toMatchObject({ rows: 3, failures: 1 });
    await loaded.close();
  });

  it('are the rows that were answered, and those that were not', async () => {
    const loaded = await load();
    const expected = { rows: 0, failures: 0 };
    await fc.assert(
      fc.asyncProperty(requests, async (all) => {
        const served = servedOf(loaded);
        const answers = await Promise.all(all.map(async (values) => inferRows(served, rowsOf(values), scopeOf())));
        for (const { error } of answers.flat()) expected[error === undefined ? 'rows' : 'failures']++;
        const { rows, failures } = loaded.statistics();
        expect({ rows, failures }).toEqual(expected);
      }),
      { numRuns: runs(40) },
    );
    await loaded.close();
  });
});

/** As far as running looks at it. */
function servedOf(loaded: LoadedModel): ServedModel {
  const binding = {
    check: () => undefined,
    bindRow: (values: readonly Value[], inputs: readonly BatchInput[], place: number) =>
      (inputs[0]?.data as Float32Array | undefined)?.set([Number(values[0])], place),
    readRow: (outputs: readonly Tensor[], place: number) => [Number(outputs[0]?.data[place])],
    rowShapes: undefined,
  };
  return { loaded, binding } as unknown as ServedModel;
}

const rowsOf = (values: readonly number[]) => values.map((value) => ({ values: [value], statuses: [], reads: [] }));

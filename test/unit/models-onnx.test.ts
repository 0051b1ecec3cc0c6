import { afterEach, describe, expect, it } from 'vitest';
import { createOnnxRuntime, type LoadedModel, type Tensor } from '../../src/models/index.ts';
import { infer, scopeOf, submitRows } from '../support/model-works.ts';
import {
  centeringModel,
  classifierModel,
  linearModel,
  mlpModel,
  passThroughModel,
  patientModel,
  singleRowModel,
  squaresModel,
  treesModel,
  turnedModel,
  zipMapModel,
} from '../support/onnx-model.ts';

const cpu = { providers: ['cpu'] };
const open: LoadedModel[] = [];
afterEach(async () => {
  for (const model of open.splice(0)) await model.close();
});

async function load(onnx: Uint8Array, options = {}): Promise<LoadedModel> {
  const model = await createOnnxRuntime(options).load(onnx, { ...cpu, mayBlock: true });
  open.push(model);
  return model;
}

const rows = (values: readonly (readonly number[])[]): Tensor => ({
  type: 'float32',
  shape: [values.length, (values[0] as readonly number[]).length],
  data: Float32Array.from(values.flat()),
});

describe('the ONNX runtime', () => {
  it('reads a signature', async () => {
    expect((await load(classifierModel(3))).signature).toEqual({
      inputs: [{ name: 'x', type: 'float32', shape: [null, 3] }],
      outputs: [
        { name: 'label', type: 'int64', shape: [null] },
        { name: 'probabilities', type: 'float32', shape: [null, 2] },
      ],
    });
  });

  it('runs rows, and says how long one takes', async () => {
    const model = await load(linearModel(2));
    const { probability } = await infer(model, {
      x: rows([
        [1, 2],
        [3, 4],
      ]),
    });
    expect(probability).toEqual({ type: 'float32', shape: [2, 1], data: Float32Array.of(3, 7) });
    expect(model.cost.fixedMicros + model.cost.rowMicros).toBeGreaterThan(0);
  });

  it.each([
    ['an MLP', mlpModel(12, 16)],
    ['trees', treesModel(12, 20, 4)],
  ])('loads %s', async (_name, onnx) => {
    const { probability } = await infer(await load(onnx), { x: rows([Array<number>(12).fill(0.3)]) });
    expect(probability?.data[0]).toBeGreaterThan(0);
    expect(probability?.data[0]).toBeLessThan(1);
  });

  it('runs a slow model in a thread, with the same results', async () => {
    const model = await load(linearModel(2), { inlineMicros: -1 });
    const answers = await Promise.all([1, 2, 3].map((value) => infer(model, { x: rows([[value, value]]) })));
    expect(answers.map(({ probability }) => probability?.data[0])).toEqual([2, 4, 6]);
  });

  it('runs a model of one fixed row for each caller by itself', async () => {
    const model = await load(singleRowModel(2));
    const answers = await Promise.all([1, 2, 3].map((value) => infer(model, { x: rows([[value, value]]) })));
    expect(answers.map(({ probability }) => probability?.data[0])).toEqual([2, 4, 6]);
  });

  it.each([
    ['on the event loop', { inlineMicros: 1e6 }],
    ['in a thread', { inlineMicros: -1 }],
  ])('gives what one that takes one row makes of it, be that more rows or fewer: %s', async (_where, options) => {
    const model = await load(turnedModel(3), options);
    const answers = await Promise.all([1, 2].map((value) => infer(model, { x: rows([[value, 0, value]]) })));
    expect(answers.map(({ found }) => found)).toEqual(
      [1, 2].map((value) => ({ type: 'float32', shape: [3, 1], data: Float32Array.of(value, 0, value) })),
    );
    const both = infer(model, {
      x: rows([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    });
    await expect(both).rejects.toMatchObject({
      code: 'HR_INFERENCE_FAILED',
      message: expect.stringMatching(
        /^the model's runtime failed: it gave 3 rows of "found" for 1 row\. Send .* by one/,
      ),
    });
  });

  it('never batches callers of a model whose rows depend on each other', async () => {
    const model = await load(centeringModel(1));
    const answers = await Promise.all([1, 2, 3].map((value) => infer(model, { x: rows([[value]]) })));
    expect(answers.map(({ centered }) => centered?.data[0])).toEqual([0, 0, 0]);
  });

  it('keeps nothing of a batch that it could not run: bad neighbours are refused, good ones answered', async () => {
    const model = await load(linearModel(2));
    const answers = await Promise.allSettled([
      infer(model, { x: rows([[1, 2]]) }),
      infer(model, { x: rows([[1]]) }),
      infer(model, { x: rows([[3, 4]]) }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('refuses a file that is cut', async () => {
    const onnx = treesModel(4, 5, 3);
    await expect(load(onnx.subarray(0, onnx.length / 2))).rejects.toMatchObject({ code: 'HR_MODEL_UNREADABLE' });
    await expect(load(new Uint8Array())).rejects.toMatchObject({ code: 'HR_MODEL_UNREADABLE' });
  });

  it('refuses a ZipMap and says how to convert without it', async () => {
    await expect(load(zipMapModel())).rejects.toMatchObject({
      code: 'HR_MODEL_SIGNATURE',
      message: expect.stringContaining("'zipmap': False"),
    });
  });

  it('refuses a provider that is not there', async () => {
    await expect(createOnnxRuntime().load(linearModel(1), { providers: ['coreml', 'cpu'] })).rejects.toMatchObject({
      code: 'HR_UNSUPPORTED',
      message: expect.stringContaining('cpu'),
    });
  });

  it('refuses a string with a NUL, which the model would see cut', async () => {
    const model = await load(passThroughModel([{ name: 's', type: 'string', shape: [null] }]));
    const input = (text: string): Record<string, Tensor> => ({ s: { type: 'string', shape: [1], data: [text] } });
    expect((await infer(model, input('né')))['s_out']?.data).toEqual(['né']);
    await expect(infer(model, input('a\0b'))).rejects.toMatchObject({ code: 'HR_INVALID' });
  });

  it('refuses tensors that are not the signature’s, and goes on', async () => {
    const model = await load(linearModel(2));
    await expect(infer(model, { x: rows([[1, 2, 3]]) })).rejects.toMatchObject({
      code: 'HR_INVALID',
      message: expect.stringContaining('[1, 3]'),
    });
    expect((await infer(model, { x: rows([[1, 2]]) }))['probability']?.data[0]).toBe(3);
  });

  it('takes few rows that have nothing in them, however many a shape claims', async () => {
    const model = await load(squaresModel());
    const empty = (count: number) =>
      infer(model, { x: { type: 'float32', shape: [count, 0], data: new Float32Array() } });
    expect((await empty(2))['sum']).toMatchObject({ shape: [2, 1], data: Float32Array.of(0, 0) });
    for (const count of [10_001, 2 ** 31, 2 ** 52])
      await expect(empty(count)).rejects.toMatchObject({
        code: 'HR_INVALID',
        message: `the inputs have ${count} rows and no element in any; at most 10000 may come so.`,
      });
  });

  it('finishes what runs before it closes, and then refuses', async () => {
    const model = await load(linearModel(2));
    const answers = [1, 2, 3].map((value) => infer(model, { x: rows([[value, 0]]) }));
    await model.close();
    expect((await Promise.all(answers)).map(({ probability }) => probability?.data[0])).toEqual([1, 2, 3]);
    await expect(infer(model, { x: rows([[1, 2]]) })).rejects.toMatchObject({ code: 'HR_MODEL_NOT_READY' });
  });

  it('refuses at once what its queue has no room for', async () => {
    const model = await load(linearModel(1), { maxQueuedRows: 2 });
    const answers = await Promise.allSettled([1, 2, 3, 4].map((value) => infer(model, { x: rows([[value]]) })));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
    expect((answers[3] as PromiseRejectedResult).reason).toMatchObject({ code: 'HR_OVERLOADED' });
  });

  it('answers single rows in time beside works of 10,000 rows that may take an hour', async () => {
    const model = await load(patientModel(), { inlineMicros: -1, maxBatchRows: 64, maxQueuedRows: 20_000 });
    const large = [1, 2].map((value) =>
      submitRows(
        model,
        Array.from({ length: 10_000 }, () => [2000 + value]),
        scopeOf({ timeoutMs: 3_600_000 }),
      ),
    );
    const singles: Promise<number[]>[] = [];
    for (let at = 0; at < 20; at++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      singles.push(submitRows(model, [[at]], scopeOf({ timeoutMs: 1000 })));
    }
    expect(model.statistics().queuedRows).toBeGreaterThan(10_000);
    expect((await Promise.all(singles)).flat()).toEqual(Array.from({ length: 20 }, (_, at) => at));
    for (const [at, told] of large.entries()) expect(new Set(await told)).toEqual(new Set([2001 + at]));
  });

  it('refuses the latest deadline for room that a nearer one needs', async () => {
    const model = await load(linearModel(1), { maxQueuedRows: 2 });
    const told = await Promise.allSettled(
      [9, 8, 7, 1, 2].map((seconds) => submitRows(model, [[seconds]], scopeOf({ timeoutMs: 1000 * seconds }))),
    );
    expect(told.map((one) => (one.status === 'fulfilled' ? one.value[0] : (one.reason as Error).message))).toEqual([
      expect.stringMatching(/nearer deadlines.*Retry/),
      expect.stringMatching(/nearer deadlines.*Retry/),
      7,
      1,
      2,
    ]);
    expect(model.statistics().refused.full).toBe(2);
  });

  it('lets others have their turn of the event loop while many batches wait', async () => {
    const model = await load(patientModel(), { inlineMicros: 1e6, maxBatchRows: 1, isUnbounded: () => false });
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(Array.from({ length: 40 }, () => submitRows(model, [[5000]])));
    isDone = true;
    expect(turns).toBeGreaterThan(10);
  });

  it('runs what somebody waits for before what nobody does', async () => {
    const model = await load(patientModel(), { inlineMicros: -1, maxBatchRows: 1 });
    const order: string[] = [];
    const told = (['shadow', 'batch', 'online', 'shadow', 'batch', 'online'] as const).map(async (priority) => {
      await submitRows(model, [[1]], scopeOf({ priority }));
      order.push(priority);
    });
    await Promise.all(told);
    expect(order).toEqual(['online', 'online', 'batch', 'batch', 'shadow', 'shadow']);
  });

  it('takes tensors of sizes that the signature leaves open, each size in batches of its own', async () => {
    const onnx = passThroughModel([{ name: 'x', type: 'float32', shape: [null, null] }]);
    for (const options of [{ inlineMicros: 1e6 }, { inlineMicros: -1 }]) {
      const model = await load(onnx, options);
      const widths = [1, 3, 1, 2, 3];
      const answers = await Promise.all(
        widths.map((width) => infer(model, { x: rows([Array<number>(width).fill(width)]) })),
      );
      expect(answers.map(({ x_out: out }) => Array.from(out?.data as Float32Array))).toEqual(
        widths.map((width) => Array<number>(width).fill(width)),
      );
    }
  });
});

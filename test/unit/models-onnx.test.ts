import { afterEach, describe, expect, it } from 'vitest';
import { createOnnxRuntime, type LoadedModel, type Tensor } from '../../src/models/index.ts';
import { infer, submitRows } from '../support/model-works.ts';
import {
  centeringModel,
  classifierModel,
  linearModel,
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

  it('refuses a file that is cut', async () => {
    const onnx = treesModel(4, 5, 3);
    await expect(load(onnx.subarray(0, onnx.length / 2))).rejects.toMatchObject({ code: 'HR_MODEL_UNREADABLE' });
    await expect(load(new Uint8Array())).rejects.toMatchObject({ code: 'HR_MODEL_UNREADABLE' });
  });

  it('refuses a ZipMap and says how to convert without it', async () => {
    const message = expect.stringContaining("'zipmap': False");
    await expect(load(zipMapModel())).rejects.toMatchObject({ code: 'HR_MODEL_SIGNATURE', message });
  });

  it('refuses a string with a NUL, which the model would see cut', async () => {
    const model = await load(passThroughModel([{ name: 's', type: 'string', shape: [null] }]));
    const input = (text: string): Record<string, Tensor> => ({ s: { type: 'string', shape: [1], data: [text] } });
    expect((await infer(model, input('né')))['s_out']?.data).toEqual(['né']);
    await expect(infer(model, input('a\0b'))).rejects.toMatchObject({ code: 'HR_INVALID' });
  });

  it('refuses tensors that are not the signature’s, and goes on', async () => {
    const model = await load(linearModel(2));
    const [good, wrong, other] = await Promise.allSettled([
      infer(model, { x: rows([[1, 2]]) }),
      infer(model, { x: rows([[1, 2, 3]]) }),
      infer(model, { x: rows([[3, 4]]) }),
    ]);
    const told = { code: 'HR_INVALID', message: expect.stringContaining('[1, 3]') };
    expect(wrong).toMatchObject({ status: 'rejected', reason: told });
    const values = [good, other].map((one) => one?.status === 'fulfilled' && one.value['probability']?.data[0]);
    expect(values).toEqual([3, 7]);
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

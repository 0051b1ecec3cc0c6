// Models on accelerators, where there are some. WebGPU also runs by a driver that computes on the CPU.

import { afterEach, describe, expect, it } from 'vitest';
import { createOnnxRuntime, type LoadedModel, type Tensor, tryProvider } from '../../src/models/index.ts';
import { gpuMemoryUsed, hasGpu, hasWebGpu } from '../support/gpu.ts';
import { scopeOf, submitRows } from '../support/model-works.ts';
import { classifierModel, linearModel, mlpModel, treesModel } from '../support/onnx-model.ts';

const hasCuda = hasGpu('models on a GPU by CUDA');
const accelerators = [
  { provider: 'cuda', isHere: hasCuda },
  { provider: 'webgpu', isHere: hasWebGpu('models on a GPU by WebGPU') },
];

const open: LoadedModel[] = [];
afterEach(async () => {
  for (const model of open.splice(0)) await model.close();
});
const load = async (onnx: Uint8Array, providers: readonly string[], options = {}): Promise<LoadedModel> => {
  const model = await createOnnxRuntime(options).load(onnx, { providers });
  open.push(model);
  return model;
};

const rows = (count: number, width: number): Tensor => ({
  type: 'float32',
  shape: [count, width],
  data: Float32Array.from({ length: count * width }, (_, at) => Math.sin(at)),
});

it.skipIf(!accelerators.some(({ isHere }) => isHere))(
  'the least model runs on each that is here',
  async () => {
    for (const { provider, isHere } of accelerators) if (isHere) await tryProvider(provider);
  },
  120_000,
);

const refused = (message: string) => ({ code: 'HR_UNSUPPORTED', message: expect.stringMatching(message) });

describe.each(accelerators)('a model on $provider', ({ provider, isHere }) => {
  const there = [provider, 'cpu'];

  describe.skipIf(!isHere)('', { timeout: 300_000 }, () => {
    it.each([
      ['an MLP', mlpModel(12, 64), 'probability'],
      ['a classifier', classifierModel(12), 'probabilities'],
    ])('%s answers as on the CPU', async (_what, onnx, output) => {
      const [gpu, cpu] = [await load(onnx, there), await load(onnx, ['cpu'])];
      const x = rows(120, 12);
      // What computes on the CPU in a device's place is in no hurry.
      const scope = scopeOf({ timeoutMs: 250_000 });
      const [given, wanted] = [(await gpu.infer({ x }, scope))[output], (await cpu.infer({ x }, scope))[output]];
      expect(given?.shape).toEqual(wanted?.shape);
      const expected = Array.from(wanted?.data as Float32Array);
      expect(new Set(expected).size).toBeGreaterThan(50);
      // TensorFloat-32 keeps ten bits of what it multiplies.
      for (const [at, value] of Array.from(given?.data as Float32Array).entries())
        expect(Math.abs(value - (expected[at] as number))).toBeLessThan(5e-3 * Math.max(1, Math.abs(value)));
    });

    it('runs its nodes there, in a thread', async () => {
      const model = await load(mlpModel(12, 64), there);
      expect(Object.keys(model.nodesByProvider ?? {})).toEqual([provider]);
      expect(model.nodesByProvider?.[provider]).toBeGreaterThan(2);
      expect(model.placement).toBe('threads');
    });

    it('answers callers whose rows come together, each for its own', async () => {
      const model = await load(linearModel(1), there);
      const submit = (value: number) => submitRows(model, [[value]], scopeOf({ timeoutMs: 250_000 }));
      const told = await Promise.all([1, 2, 3, 4].map(submit));
      expect(told.flat()).toEqual([1, 2, 3, 4]);
      expect(model.statistics().runs).toBeLessThan(4);
    });

    it('is not loaded where its trees would run on the CPU, unless that is allowed', async () => {
      const fell = refused('1 of its 2 nodes fell to the CPU: TreeEnsembleRegressor');
      await expect(load(treesModel(12, 20, 4), there)).rejects.toMatchObject(fell);
      const allowed = await load(treesModel(12, 20, 4), there, { providerShare: 0.5 });
      expect(allowed.nodesByProvider).toEqual({ cpu: 1, [provider]: 1 });
      await expect(load(treesModel(12, 20, 4), [provider], { providerShare: 0.5 })).rejects.toMatchObject({
        message: expect.stringMatching(/ran elsewhere than on .*Name "cpu" last in its providers/),
      });
    });

    it('is not loaded where its file is none, and that is what is said', async () => {
      await expect(load(new Uint8Array([1, 2, 3]), there)).rejects.toMatchObject({ code: 'HR_MODEL_UNREADABLE' });
    });
  });
});

describe.skipIf(!hasCuda)('a GPU', { timeout: 300_000 }, () => {
  it('that there is not loads no model', async () => {
    await expect(load(mlpModel(12, 16), ['cuda:99', 'cpu'])).rejects.toMatchObject(refused('"cuda:99"'));
  });

  it('has its memory back when a model is closed', async () => {
    // CUDA itself keeps some for as long as the process lives.
    await (await load(mlpModel(2, 2), ['cuda'])).close();
    const before = gpuMemoryUsed();
    const model = await load(mlpModel(12, 4096), ['cuda']);
    expect(gpuMemoryUsed() - before).toBeGreaterThan(48 * 2 ** 20);
    await model.close();
    await expect.poll(() => gpuMemoryUsed() - before, { timeout: 20_000 }).toBeLessThan(16 * 2 ** 20);
  });
});

it.skipIf(hasCuda)('without CUDA here a model that wants it is not loaded, by what is missing', async () => {
  const absent = refused('"cuda" is not available here: .*It has cpu');
  await expect(load(mlpModel(12, 16), ['cuda', 'cpu'])).rejects.toMatchObject(absent);
});

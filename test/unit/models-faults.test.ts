// Models that throw, hang, end their thread or answer NaN: only those whose rows did it are told so.

import { setEnvironmentData } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { createOnnxRuntime, type LoadedModel, type ModelRuntime } from '../../src/models/index.ts';
import { halfModel, linearModel, lookUpModel, patientModel } from '../support/onnx-model.ts';
import { scopeOf, submitRows } from '../support/model-works.ts';

const open: LoadedModel[] = [];
afterAll(() => Promise.all(open.map((model) => model.close())));

const inThreads = { inlineMicros: -1 };
async function loadIn(runtime: ModelRuntime, onnx: Uint8Array): Promise<LoadedModel> {
  const model = await runtime.load(onnx, { providers: ['cpu'], mayBlock: true });
  open.push(model);
  return model;
}
const load = (onnx: Uint8Array, options = {}): Promise<LoadedModel> => loadIn(createOnnxRuntime(options), onnx);

/** What a work of one row was told: its first output, or its error's code. */
const tell = (model: LoadedModel, row: number, scope = scopeOf()): Promise<number | string> =>
  submitRows(model, [[row]], scope).then(
    ([value]) => value as number,
    (thrown: { code: string }) => thrown.code,
  );
const tellAll = (model: LoadedModel, ...rows: readonly number[]) => Promise.all(rows.map((row) => tell(model, row)));
const FAILED = 'HR_INFERENCE_FAILED';

describe.each([
  ['on the event loop', { inlineMicros: 1e6 }],
  ['in threads', inThreads],
])('a model %s', (_where, options) => {
  it('that throws for one caller’s row answers all others of the batch', async () => {
    const model = await load(lookUpModel(), options);
    expect(await tellAll(model, 1, 99, 3, 1000, 5)).toEqual([10, FAILED, 30, FAILED, 50]);
    expect(await tellAll(model, 7)).toEqual([70]);
    expect(model.statistics()).toMatchObject({ failures: 2, rows: 4, queuedRows: 0, runningRows: 0 });
  });

  it('gives NaN as a value', async () => {
    expect(await tellAll(await load(linearModel(1), options), NaN, Infinity, 2)).toEqual([NaN, Infinity, 2]);
  });

  it('takes and gives half-precision numbers as their bits', async () => {
    const model = await load(halfModel(2), options);
    const x = { type: 'float16' as const, shape: [1, 2], data: Uint16Array.of(0x3c00, 0x4000) };
    const { probability } = await model.infer({ x }, scopeOf());
    expect(probability).toEqual({ type: 'float16', shape: [1, 1], data: Uint16Array.of(0x4200) });
    expect(typeof (globalThis as { Float16Array?: unknown }).Float16Array).toBe('function');
  });

  it('answers a caller with more rows than a batch as one', async () => {
    const model = await load(lookUpModel(), { ...options, maxBatchRows: 4 });
    const rows = Array.from({ length: 30 }, (_, at) => [at]);
    expect(await submitRows(model, rows)).toEqual(rows.map(([at]) => 10 * (at as number)));
    rows[17] = [1000];
    await expect(submitRows(model, rows)).rejects.toMatchObject({ code: FAILED });
  });

  it('does not run what was cancelled, or what would be late', async () => {
    const model = await load(linearModel(1), options);
    const gone = scopeOf();
    const told = [tell(model, 1, gone), tell(model, 2), tell(model, 3, scopeOf({ timeoutMs: -1 }))];
    gone.cancel();
    expect(await Promise.all(told)).toEqual(['HR_CANCELLED', 2, 'HR_DEADLINE']);
    expect(model.statistics().refused).toMatchObject({ cancelled: 1, deadline: 1 });
  });

  it('tells a work whose own reading of the outputs fails, and goes on', async () => {
    const model = await load(linearModel(1), options);
    const told: string[] = [];
    const done = () => {
      throw new Error('cannot read');
    };
    model.submit({ count: 1, scope: scopeOf(), bind() {}, done, failed: ({ code }) => told.push(code) });
    expect(await tellAll(model, 4)).toEqual([4]);
    expect(told).toEqual(['HR_INTERNAL']);
  });
});

describe('a thread', () => {
  const scriptOf = (what: string) => new URL(`../support/${what}-inference-worker.ts`, import.meta.url);

  it('that ends in the midst of a batch loses nobody’s rows but those that end it', async () => {
    const model = await load(linearModel(1), { ...inThreads, threadScript: scriptOf('ending') });
    expect(await tellAll(model, 1, 2, 666, 4, 5)).toEqual([1, 2, FAILED, 4, 5]);
    expect(await tellAll(model, 6, 7)).toEqual([6, 7]);
    expect(model.statistics()).toMatchObject({ failures: 1, threadsReplaced: 2 });
  });

  it('that cannot open the model takes its fellows with it', async () => {
    const told = new Int32Array(new SharedArrayBuffer(8));
    setEnvironmentData('threads told of', told);
    const options = { ...inThreads, workerThreads: 4, threadScript: scriptOf('failing') };
    await expect(load(linearModel(1), options)).rejects.toMatchObject({ code: 'HR_MODEL_NOT_READY' });
    // All but the one that ended by itself.
    await expect.poll(() => [...told]).toEqual([4, 3]);
  });

  /** A model whose runs with 666 hang until `letGo`, in threads that are given up after `silenceFloorMs`. */
  async function hanging(floor: { readonly silenceFloorMs?: number } = {}) {
    const mayReturn = new Int32Array(new SharedArrayBuffer(4));
    setEnvironmentData('hanging runs may return', mayReturn);
    const runtime = createOnnxRuntime({ ...inThreads, ...floor, threadScript: scriptOf('hanging') });
    const letGo = (): void => {
      Atomics.store(mayReturn, 0, 1);
      Atomics.notify(mayReturn, 0);
    };
    return { runtime, model: await loadIn(runtime, linearModel(1)), letGo };
  }

  it('that hangs is replaced, and rows that came with what hung it are answered', async () => {
    const { model, letGo } = await hanging({ silenceFloorMs: 200 });
    expect(await tellAll(model, 1, 666, 3)).toEqual([1, FAILED, 3]);
    expect(model.statistics().threadsReplaced).toBe(2);
    expect(await tellAll(model, 8)).toEqual([8]);
    letGo();
  });

  it('that was given up takes nothing with it when its run returns at last', async () => {
    const { runtime, model, letGo } = await hanging({ silenceFloorMs: 100 });
    // Twice: it runs once more by itself.
    expect(await tellAll(model, 666)).toEqual([FAILED]);
    expect(model.statistics().threadsReplaced).toBe(2);
    expect(runtime.isRunning()).toBe(true);
    await model.close();
    letGo();
    await expect.poll(() => runtime.isRunning()).toBe(false);
  });

  it('is not started while too many hang: what comes meanwhile is refused at once', async () => {
    const { model, letGo } = await hanging({ silenceFloorMs: 200 });
    expect(await tellAll(model, 666)).toEqual([FAILED]);
    const waiting = tellAll(model, 666);
    await expect.poll(() => model.statistics().threadsReplaced).toBe(3);
    await expect(submitRows(model, [[1]])).rejects.toMatchObject({
      code: 'HR_OVERLOADED',
      message: expect.stringMatching(/^the model has no thread now: .* do not return.* \(1 row waits\)\. Retry/),
    });
    letGo();
    expect(await waiting).toEqual([666]);
    expect(await tellAll(model, 2)).toEqual([2]);
  });

  it('that hangs keeps nobody past the deadline', async () => {
    const { runtime, model, letGo } = await hanging();
    const told = [666, 1].map((row) => tell(model, row, scopeOf({ timeoutMs: 200 })));
    expect(await Promise.all(told)).toEqual(['HR_DEADLINE', 'HR_DEADLINE']);
    expect(runtime.isRunning()).toBe(true);
    letGo();
  });

  it('is stopped after what runs; what comes later is refused', async () => {
    const model = await load(patientModel(), inThreads);
    const told = tellAll(model, 50_000, 2, 3);
    const closing = model.close();
    expect(await tellAll(model, 4)).toEqual(['HR_MODEL_NOT_READY']);
    expect(await told).toEqual([50_000, 2, 3]);
    await closing;
  });
});

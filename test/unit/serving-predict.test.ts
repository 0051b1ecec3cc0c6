// The predict path over arms that are slow, fail or spoil a batch: whose rows are answered, and where what is counted.

import { afterEach, describe, expect, it } from 'vitest';
import { fixedClock, HeadraceError, predictionMark, type Value } from '../../src/core/index.ts';
import type { LoadedModel, ModelWork, Tensor } from '../../src/models/index.ts';
import { moveBuckets, type Variant } from '../../src/registry/index.ts';
import { compileRoutes } from '../../src/rollouts/index.ts';
import type { Arm, ArmBatch, ArmRow } from '../../src/serving/arm.ts';
import { inferRows } from '../../src/serving/arm-run.ts';
import { createDeadlines } from '../../src/serving/deadlines.ts';
import type { EndpointPlan } from '../../src/serving/endpoint-plan.ts';
import type { FeatureRow } from '../../src/serving/feature-plan.ts';
import { predict } from '../../src/serving/predict.ts';
import type { RequestRow } from '../../src/serving/row-parser.ts';
import type { ServedModel } from '../../src/serving/served-models.ts';
import { scopeOf } from '../support/model-works.ts';

const deadlines = createDeadlines();
afterEach(() => deadlines.close());
const answered: ArmRow = { outputs: [1], features: [], statuses: [] };
const deps = { clock: fixedClock(0), deadlines, limits: { maxRows: 100, requestTimeoutMs: 1000 }, nextId: () => 'id' };

/** What predicting looks at of an arm, with what its sinks were told. */
function armOf(name: string, run: Arm['run']): { readonly arm: Arm; readonly batches: ArmBatch[] } {
  const batches: ArmBatch[] = [];
  const arm = { name, run, sinks: [(batch: ArmBatch) => void batches.push(batch)] } as unknown as Arm;
  return { arm, batches };
}

/** An endpoint that gives half of the units to each arm. */
function planOf(...arms: readonly Arm[]): EndpointPlan {
  const own = arms.map(({ name }) => ({ name, version: 1, weight: 100 / arms.length }));
  const ranges = moveBuckets([], own);
  const variants = own.map((one, at) => ({ ...one, ranges: ranges[at] as Variant['ranges'] }));
  const state = { name: 'e', model: 'm', salt: 's', variants, experiments: [] };
  return {
    state,
    parseRow: (json: unknown) => [json as Value],
    unitOf: (row: RequestRow) => [String(row[0])],
    routes: compileRoutes(state, { unit: ['u'] }, [{ name: 'u', type: { kind: 'float64' } }]),
    arms,
    armAt: arms,
    marks: arms.map(() => predictionMark(1, 1)),
    meter: { answered: () => {}, rowFailed: () => {}, failed: () => {} },
  } as unknown as EndpointPlan;
}

describe('an arm that does not answer in time', () => {
  const ROWS = Array.from({ length: 20 }, (_, n) => n);
  const ask = (isPartial: boolean) => {
    const one = armOf('fast', (rows) => Promise.resolve(rows.map(() => answered)));
    const other = armOf('hung', () => new Promise(() => {}));
    const asked = predict(deps, planOf(one.arm, other.arm), ROWS, { isPartial }, scopeOf({ timeoutMs: 300 }));
    return { one, other, asked };
  };
  const codes = (rows: readonly { readonly error?: { readonly code: string } | undefined }[] = []) =>
    new Set(rows.map(({ error }) => error?.code));

  it('fails its rows, counted there; another arm’s rows are answered where each stands alone', async () => {
    const { one, other, asked } = ask(true);
    expect(codes((await asked).rows)).toEqual(new Set([undefined, 'HR_DEADLINE']));
    expect(one.batches).toMatchObject([{ isAnswered: true }]);
    expect(other.batches).toHaveLength(1);
    expect(codes(other.batches[0]?.rows)).toEqual(new Set(['HR_DEADLINE']));
    expect([one, other].flatMap(({ batches }) => batches.flatMap(({ rows }) => rows))).toHaveLength(20);
  });

  it('fails the request otherwise, and is counted at that arm alone', async () => {
    const { one, other, asked } = ask(false);
    await expect(asked).rejects.toMatchObject({ code: 'HR_DEADLINE' });
    expect(one.batches).toMatchObject([{ isAnswered: false }]);
    expect(codes(one.batches[0]?.rows)).toEqual(new Set([undefined]));
    expect(codes(other.batches[0]?.rows)).toEqual(new Set(['HR_DEADLINE']));
  });

  it('that throws fails its rows too', async () => {
    const broken = armOf('broken', () => {
      throw new TypeError('a bug');
    });
    const asked = predict(deps, planOf(broken.arm), [1], { isPartial: false }, scopeOf());
    await expect(asked).rejects.toMatchObject({ code: 'HR_INTERNAL' });
    expect(broken.batches).toMatchObject([{ rows: [{ error: { code: 'HR_INTERNAL' } }] }]);
  });
});

const found = { values: [1n], statuses: ['PRESENT'], eventMicros: 0 };
const none = { values: [null], statuses: ['NOT_FOUND'], eventMicros: null };
it.each([
  ['of a key that its view does not know', [0], [none], 'HR_UNKNOWN_ENTITY'],
  ['of a key that is known', [0], [found], 'HR_NULL_FEATURE'],
  ['made of views of which none knows the key', [0, 1], [none, none], 'HR_UNKNOWN_ENTITY'],
  ['made of views of which one knows the key', [0, 1], [none, found], 'HR_NULL_FEATURE'],
  ['made of the request alone', [], [none], 'HR_NULL_FEATURE'],
] as const)(
  'a feature that is null where the model takes none is told by its cause: %s',
  async (_what, behind, reads, code) => {
    const check = (_values: readonly Value[], isUnknown?: (feature: number) => boolean): HeadraceError =>
      new HeadraceError(isUnknown?.(0) === true ? 'HR_UNKNOWN_ENTITY' : 'HR_NULL_FEATURE', 'null');
    const model = { binding: { check }, readsBehind: [behind] } as unknown as ServedModel;
    const row = { values: [null], statuses: ['NULL_VALUE'], reads } as unknown as FeatureRow;
    expect(await inferRows(model, [row], scopeOf())).toMatchObject([{ error: { code } }]);
  },
);

describe('rows that spoil a batch', () => {
  /** Asks a model that fails every run with one of the bad rows in it, as `submit` tells it, for so many rows: 0, 1, 2, … */
  async function infer(count: number, isBad: (value: Value) => boolean) {
    let runs = 0;
    const submit: LoadedModel['submit'] = (work: ModelWork) => {
      runs++;
      const values: Value[] = [];
      for (let i = 0; i < work.count; i++)
        work.bind(i, [{ data: values as unknown as readonly string[], width: 1 }], i);
      const tensor = { type: 'float32', shape: [work.count], data: values as unknown as Float32Array } as Tensor;
      queueMicrotask(() => {
        if (!values.some(isBad)) work.done([tensor], 0, 0);
        else if (work.runsAgain?.() !== true) work.failed(new HeadraceError('HR_INFERENCE_FAILED', 'no'));
      });
    };
    const binding = {
      check: () => undefined,
      bindRow(row: readonly Value[], [input]: readonly { data: unknown }[], place: number) {
        if (input !== undefined) (input.data as Value[])[place] = row[0] as Value;
      },
      readRow: (outputs: readonly Tensor[], place: number) => [Number(outputs[0]?.data[place])],
      rowShapes: undefined,
    };
    const model = { loaded: { submit }, binding } as unknown as ServedModel;
    const rows = Array.from({ length: count }, (_, n) => ({ values: [n], statuses: [], reads: [] }));
    return { rows: await inferRows(model, rows, scopeOf()), runs };
  }

  it('are found: they fail alone, and each other row has its own answer', async () => {
    const { rows, runs } = await infer(1000, (value) => value === 3 || value === 777);
    expect(rows.flatMap(({ error }, n) => (error === undefined ? [] : [n]))).toEqual([3, 777]);
    expect(rows.every((row, n) => row.error !== undefined || row.outputs[0] === n)).toBe(true);
    expect(runs).toBeLessThan(60);
  });

  it('cost a bounded number of runs where all of them do', async () => {
    const { rows, runs } = await infer(5000, () => true);
    expect(rows.map(({ error }) => error?.code)).toEqual(new Array(5000).fill('HR_INFERENCE_FAILED'));
    expect(runs).toBeLessThanOrEqual(65);
  });
});

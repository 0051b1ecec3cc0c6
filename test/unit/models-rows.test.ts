// Which models' rows share a run with those of other callers: those that were shown to be independent, or are said to be.

import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { createOnnxRuntime, type LoadedModel, type LoadOptions, type Tensor } from '../../src/models/index.ts';
import { openDirectModel } from '../../src/models/onnx/direct-model.ts';
import { judgeRows, ON_CPU } from '../../src/models/onnx/judge-rows.ts';
import { madeRows } from '../../src/models/onnx/made-rows.ts';
import { openSession } from '../../src/models/onnx/ort-session.ts';
import { infer, submitRows } from '../support/model-works.ts';
import {
  attentionModel,
  centeringModel,
  classifierModel,
  constantModel,
  deepModel,
  differencesModel,
  divisionModel,
  halfModel,
  hoursModel,
  layerNormModel,
  linearModel,
  lookUpModel,
  mlpModel,
  passThroughModel,
  refusingModel,
  reshapeModel,
  singleRowModel,
  sliceModel,
  squaresModel,
  treesModel,
} from '../support/onnx-model.ts';

const open: LoadedModel[] = [];
afterEach(async () => {
  for (const model of open.splice(0)) await model.close();
});

async function load(onnx: Uint8Array, more: Partial<LoadOptions> = {}, inlineMicros = 1e6): Promise<LoadedModel> {
  const model = await createOnnxRuntime({ inlineMicros }).load(onnx, { providers: ['cpu'], mayBlock: true, ...more });
  open.push(model);
  return model;
}

const floats = (rows: number, width: number, from: number): Tensor => ({
  type: 'float32',
  shape: [rows, width],
  data: Float32Array.from({ length: rows * width }, (_, at) => 2 * Math.sin(from + at * 1.7)),
});

/** Requests of one to four rows, asked one after the other and all at once. */
async function answers(model: LoadedModel, width: number): Promise<readonly [number[][], number[][]]> {
  const requests = Array.from({ length: 8 }, (_, at) => ({ x: floats(1 + (at % 4), width, at) }));
  const shown = (of: Readonly<Record<string, Tensor>>): number[] =>
    Object.values(of).flatMap(({ data }) => Array.from(data as Float32Array));
  const alone: number[][] = [];
  for (const one of requests) alone.push(shown(await infer(model, one)));
  return [alone, (await Promise.all(requests.map((one) => infer(model, one)))).map(shown)];
}

describe('rows that depend on each other', () => {
  it.each([
    ['attention over a sequence that has the batch’s place', attentionModel(8), 8],
    ['a difference of columns less the batch’s mean of it', differencesModel(), 2],
    ['each column less the batch’s mean', centeringModel(3), 3],
  ])('of several callers never share a run: %s', async (_what, onnx, width) => {
    for (const inlineMicros of [1e6, -1]) {
      const model = await load(onnx, {}, inlineMicros);
      const [alone, atOnce] = await answers(model, width);
      expect(atOnce).toEqual(alone);
      expect(model).toMatchObject({ mixesRows: true, rowsVerdict: 'dependent' });
      expect(model.statistics().runs).toBe(16);
    }
  });
});

describe('rows that do not depend on each other', () => {
  const text = passThroughModel([{ name: 's', type: 'string', shape: [null] }]);
  it.each([
    ['a layer’s norm', layerNormModel(8)],
    ['a sum', linearModel(3)],
    ['a sum through a sigmoid', linearModel(3, { sigmoid: true })],
    ['trees', treesModel(12, 40, 4)],
    ['a perceptron', mlpModel(12, 16)],
    ['many layers', deepModel(8, 6)],
    ['a classifier with its label', classifierModel(3)],
    ['half-precision numbers', halfModel(3)],
    ['a table by a whole number, past whose end the runtime throws', lookUpModel()],
    ['a table of 24 hours', hoursModel(3, 1, 24)],
    ['texts', text],
    ['sizes that the signature leaves open', squaresModel()],
    ['division, which throws for a row of zeros', divisionModel()],
  ])('share one: %s', async (_what, onnx) => {
    expect(await load(onnx)).toMatchObject({ mixesRows: false, rowsVerdict: 'independent' });
  });

  it('are answered together as alone, in one run', async () => {
    const model = await load(layerNormModel(8));
    const [alone, atOnce] = await answers(model, 8);
    expect(atOnce).toEqual(alone.map((row) => row.map((value) => expect.closeTo(value, 4))));
    expect(model.statistics().runs).toBe(9);
  });
});

it.each(['boosting', 'logistic', 'morning'])('the example’s models share runs: %s', async (name) => {
  const onnx = readFileSync(new URL(`../../feature_repo/models/${name}.onnx`, import.meta.url));
  expect(await load(onnx)).toMatchObject({ mixesRows: false, rowsVerdict: 'independent' });
});

describe('a model whose rows show nothing', () => {
  it.each([
    ['it answers all of them alike', constantModel(3, 0.5)],
    ['it throws for each', refusingModel(2)],
  ])('is loaded, and runs each request alone: %s', async (_what, onnx) => {
    expect(await load(onnx)).toMatchObject({ mixesRows: true, rowsVerdict: 'unknown' });
  });

  it.each([
    ['steps', sliceModel()],
    ['a shape', reshapeModel()],
  ])('as it takes %s, none of which is 0, is loaded', async (_what, onnx) => {
    expect(await load(onnx)).toMatchObject({ mixesRows: true, rowsVerdict: undefined });
  });

  it('is not measured where it fails on each of them, and stays off the event loop', async () => {
    expect(await load(refusingModel(2))).toMatchObject({ isMeasured: false, placement: 'threads' });
    expect(await load(divisionModel())).toMatchObject({ isMeasured: true, placement: 'inline' });
  });

  it('answers what it can answer', async () => {
    const model = await load(divisionModel());
    const bytes = (...values: number[]): Tensor => ({
      type: 'int8',
      shape: [values.length],
      data: Int8Array.from(values),
    });
    expect((await infer(model, { a: bytes(9, 8), b: bytes(3, 2) }))['y']?.data).toEqual(Int8Array.of(3, 4));
  });

  it('is judged by the rows that whoever loads it has', async () => {
    const sample = (): Tensor[] => [{ type: 'float32', shape: [2, 2], data: Float32Array.of(NaN, NaN, NaN, NaN) }];
    expect(await load(refusingModel(2), { sample })).toMatchObject({ rowsVerdict: 'unknown' });
    const wide = (): Tensor[] => [floats(4, 3, 0)];
    expect(await load(hoursModel(3, 0, 1), { sample: wide })).toMatchObject({ rowsVerdict: 'unknown' });
    const hours = (): Tensor[] => [{ type: 'float32', shape: [2, 1], data: Float32Array.of(12, 40) }];
    expect(await load(lookUpModel(), { sample: hours })).toMatchObject({ rowsVerdict: 'independent' });
  });
});

describe('what is known of a model’s rows', () => {
  it.each([
    ['said', linearModel(2), false],
    ['said', differencesModel(), false],
    ['dependent', linearModel(2), true],
    ['shown', linearModel(2), false],
    // What the loader's own rows cannot show was shown at the registration.
    ['shown', constantModel(2, 0.5), false],
    ['shown', differencesModel(), true],
  ] as const)('decides, but for what was shown and is not so here: %s', async (rows, onnx, mixesRows) => {
    expect(await load(onnx, { rows })).toMatchObject({ mixesRows });
  });

  it('makes no more of a model whose batch is fixed', async () => {
    const model = await load(singleRowModel(2), { rows: 'said' });
    expect(await answers(model, 2)).toEqual(expect.anything());
    expect(model).toMatchObject({ mixesRows: false });
  });
});

it.each([
  ['dependent', 4],
  ['said', 1],
  [undefined, 1],
] as const)('a graph’s node in a batch goes by what is known of its own rows: %s', (rows, runs) => {
  const model = openDirectModel(linearModel(1), { providers: ['cpu'], mostRows: 16, rows });
  void submitRows(model, [[1], [2], [3], [4]]);
  expect(model.statistics()).toMatchObject({ rows: 4, runs });
  model.close();
});

describe('a verdict', () => {
  const wide = (rows: number): Tensor[] =>
    madeRows(
      { inputs: [{ name: 'x', type: 'float32', shape: [null, 2] }], outputs: [] },
      { kind: 'tame', rows, length: 1 },
    );
  /** A model of two columns: `answer` gives each row one number, of all the rows. */
  function model(answer: (rows: readonly (readonly number[])[], runs: number) => readonly number[]) {
    let runs = 0;
    return {
      run([x]: readonly { readonly data: unknown }[]): Tensor[] {
        const { data } = x as { readonly data: Float32Array };
        const rows = Array.from({ length: data.length / 2 }, (_, at) => [data[2 * at] ?? 0, data[2 * at + 1] ?? 0]);
        const given = answer(rows, runs++);
        return [{ type: 'float32', shape: [given.length, 1], data: Float32Array.from(given) }];
      },
    };
  }
  const sum = ([a = 0, b = 0]: readonly number[]): number => a + b;

  it.each([
    ['each row alone', (rows: readonly (readonly number[])[]) => rows.map(sum), 'independent'],
    [
      'the rows before',
      (rows: readonly (readonly number[])[]) => rows.map((row, at) => sum(row) + at * 0.01),
      'dependent',
    ],
    [
      'how many there are',
      (rows: readonly (readonly number[])[]) => rows.map((row) => sum(row) * rows.length),
      'dependent',
    ],
    [
      'the eighth row before',
      (rows: readonly (readonly number[])[]) => rows.map((row, at) => sum(row) + sum(rows[at - 8] ?? [])),
      'dependent',
    ],
    ['nothing', (rows: readonly (readonly number[])[]) => rows.map(() => 3), 'unknown'],
    ['chance', (rows: readonly (readonly number[])[], runs: number) => rows.map((row) => sum(row) + runs), 'unknown'],
    [
      'its rows, one of which it leaves out',
      (rows: readonly (readonly number[])[]) => rows.slice(1).map(sum),
      'dependent',
    ],
    [
      'numbers a ten-thousandth of which is lost',
      (rows: readonly (readonly number[])[]) => rows.map((row) => sum(row) * (1 + rows.length * 1e-7)),
      'independent',
    ],
    [
      'small numbers',
      (rows: readonly (readonly number[])[]) => rows.map((row) => sum(row) * 0.001 * rows.length),
      'dependent',
    ],
    ['no number', (rows: readonly (readonly number[])[]) => rows.map(() => NaN), 'unknown'],
  ] as const)('of a model that answers by %s', (_what, answer, verdict) => {
    expect(judgeRows(model(answer), wide(4), ON_CPU, 32)).toBe(verdict);
  });

  it('leaves out rows that fail alone, and needs two', () => {
    const failing = (most: number) =>
      model((rows) => {
        if (rows.some(([a = 0]) => Math.abs(a) > most)) throw new Error('too large');
        return rows.map(sum);
      });
    const sizes = wide(4)[0]?.data as Float32Array;
    const sorted = [0, 2, 4, 6].map((at) => Math.abs(sizes[at] ?? 0)).toSorted((a, b) => a - b);
    expect(judgeRows(failing(sorted[1] as number), wide(4), ON_CPU)).toBe('independent');
    expect(judgeRows(failing(sorted[0] as number), wide(4), ON_CPU)).toBe('unknown');
  });

  it('of tensors is that of a session', () => {
    const session = openSession(attentionModel(4), ['cpu'], 1);
    expect(judgeRows(session, madeRows(session.signature, { kind: 'wide', rows: 4, length: 1 }), ON_CPU)).toBe(
      'dependent',
    );
    session.release();
  });
});

// A graph in a batch against the same graph as it is served, row by row: the same outputs bit for bit, the same failures.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { HeadraceError, type Value } from '../../src/core/index.ts';
import { ensembleNode, featureService, functionNode, type GraphNode, model } from '../../src/definitions/index.ts';
import { modelNode, onDemandView, routerNode, t } from '../../src/definitions/index.ts';
import { type BatchModel, openBatchGraph } from '../../src/models/index.ts';
import { linearModel, lookUpModel, singleRowModel } from '../support/onnx-model.ts';
import { type OpenGraph, openGraph } from '../support/open-graph.ts';
import { scoreRows } from '../support/score-rows.ts';
import { answersOf } from '../support/row-answers.ts';
import { runs } from '../support/tier.ts';

const given = onDemandView('given', {
  inputs: { request: { x: t.float64() } },
  features: { x: t.float64() },
  transform: ({ request }) => ({ x: request.x }),
});
const sort = onDemandView('sort', {
  inputs: { request: { kind: t.string() } },
  features: { kind: t.string() },
  transform: ({ request }) => ({ kind: request.kind }),
});
const features = featureService('features', [given, sort]);
const number = featureService('number', [given]);
const outputs = { probability: t.float32() };
const linear = model('linear', { features: number, outputs });
const table = model('table', { features: number, outputs });
const single = model('single', { features: number, outputs });
const x = { features: { given__x: t.float64() } };

const FILES: Readonly<Record<string, () => Uint8Array>> = {
  linear: () => linearModel(1),
  // Fails on what is not in its table, and so on every run that such a row is in.
  table: () => lookUpModel(),
  // Its rows never share a run.
  single: () => singleRowModel(1),
};

const fileOf = (name: string): Uint8Array => (FILES[name] as () => Uint8Array)(); // of each model

const halved = functionNode('halved', {
  inputs: x,
  outputs: { half: t.float64() },
  run: ({ features: { given__x } }) => {
    if (given__x === 13) throw new Error('unlucky');
    return { half: given__x === null ? null : given__x / 2 };
  },
});

/** Each gives `probability`. */
const GRAPHS: Readonly<Record<string, () => GraphNode<typeof outputs>>> = {
  'one model': () => modelNode('alone', linear),
  'a model that fails on rows, without a policy': () => modelNode('looked', table),
  'the same with outputs that stand in': () =>
    modelNode('looked', table, { onFailure: { outputs: { probability: -1 } } }),
  'a time for each row, which is no batch’s': () => modelNode('looked', table, { timeoutMs: 10_000 }),
  'an ensemble that goes without members': () => {
    const [one, other] = [linear, table].map((of) => modelNode(of.name, of, { onFailure: 'skip' }));
    const members = [one, other, modelNode('single_row', single)].filter((node) => node !== undefined);
    return ensembleNode('both', members, { by: 'mean', weights: [3, 1, 2], minimum: 2 });
  },
  'one file in two nodes, one after the other, and functions': () => {
    const first = modelNode('first', linear, { inputs: { given__x: halved.out('half') } });
    const fed = functionNode('fed', {
      inputs: { first },
      outputs: { more: t.float64() },
      run: ({ first: { probability } }) => ({ more: probability === null ? null : probability * 3 }),
    });
    return modelNode('second', linear, { inputs: { given__x: fed.out('more') } });
  },
  'a router': () =>
    routerNode('routed', {
      inputs: { features: { given__x: t.float64(), sort__kind: t.string() } },
      cases: { low: modelNode('straight', linear), high: modelNode('looked', table) },
      choose: ({ features: { given__x, sort__kind } }) => {
        if (sort__kind === 'bad') throw new Error('no such kind');
        return (given__x ?? 0) < 5 ? 'low' : 'high';
      },
    }),
};

function batchOf({ service, spec, definitions, models }: OpenGraph, mostRows: number): BatchModel {
  const nodes = new Map(
    Array.from(models, ([name, { version, service: of, spec: own }]) => {
      const onnx = fileOf(own.name);
      return [name, { version, service: of, spec: own, artifact: own.name, onnx }] as const;
    }),
  );
  return openBatchGraph({ service, spec, nodes, functions: definitions.functions, mostRows });
}

const rows = fc.array(
  fc.tuple(
    fc.oneof(
      fc.integer({ min: -3, max: 14 }),
      fc.integer({ min: 60, max: 68 }),
      fc.double({ min: 0, max: 60, noNaN: true }),
      fc.constantFrom(13, -0, Infinity),
      fc.constant(null),
    ),
    fc.constantFrom('good', 'bad', 'a\0b', null),
  ),
  { maxLength: 60 },
) as fc.Arbitrary<Value[][]>;

describe.each(Object.entries(GRAPHS))('%s', (_, node) => {
  let served: OpenGraph;
  let batch: BatchModel;
  beforeAll(async () => {
    served = await openGraph(model('graph', { features, outputs, graph: node() }), fileOf);
    batch = batchOf(served, 16);
  });
  afterAll(async () => {
    batch?.close();
    for (const { loaded } of served?.models.values() ?? []) await loaded.close();
  });

  it('gives each row what it is served alone', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(rows, async (asked) => {
        const got = scoreRows(batch, asked, shown);
        for (const [at, row] of asked.entries()) {
          // As an arm asks: what the graph can't take of the row is not submitted.
          const mistake = served.binding.check(row);
          const alone = mistake ?? (await answersOf(served, [row]))[0] ?? 'none';
          expect(got[at], `row ${at}: ${String(row[0])}, ${String(row[1])}`).toStrictEqual(shown(alone));
        }
      }),
      { numRuns: runs(30) },
    );
  });
});

function shown(answer: readonly Value[] | HeadraceError | string): readonly Value[] | string {
  return answer instanceof HeadraceError ? `${answer.code}: ${answer.message}` : answer;
}

it('finds every row that fails, however many there are among good ones', async () => {
  const served = await openGraph(model('graph', { features, outputs, graph: modelNode('looked', table) }), fileOf);
  const batch = batchOf(served, 2048);
  onTestFinished(async () => {
    batch.close();
    for (const { loaded } of served.models.values()) await loaded.close();
  });
  let [good, bad] = [0, 0];
  batch.score(
    2048,
    (row) => [row % 3 === 0 ? 64 + row : row % 64, 'good'],
    (row, result) => {
      if (row % 3 === 0) bad += result instanceof HeadraceError ? 1 : 0;
      else good += result instanceof HeadraceError ? 0 : 1;
    },
  );
  expect([good, bad]).toEqual([1365, 683]);
});

// Graphs whose nodes throw, hang, or give what they do not declare: whose failure is whose, and what stands in.

import { afterAll, describe, expect, it } from 'vitest';
import { HeadraceError, type Span } from '../../src/core/index.ts';
import {
  ensembleNode,
  featureService,
  functionNode,
  type GraphNode,
  model,
  modelNode,
  onDemandView,
  routerNode,
  t,
} from '../../src/definitions/index.ts';
import type { LoadedModel, NodeTiming } from '../../src/models/index.ts';
import { scopeOf } from '../support/model-works.ts';
import { linearModel, lookUpModel, patientModel } from '../support/onnx-model.ts';
import { type OpenGraph, openGraph } from '../support/open-graph.ts';
import { answersOf } from '../support/row-answers.ts';

const given = onDemandView('given', {
  inputs: { request: { x: t.float64() } },
  features: { x: t.float64() },
  transform: ({ request }) => ({ x: request.x }),
});
const features = featureService('features', [given]);
const outputs = { probability: t.float32() };
const linear = model('linear', { features, outputs });
const table = model('table', { features, outputs });
const patient = model('patient', { features, outputs });
const x = { features: { given__x: t.float64() } };

const FILES: Readonly<Record<string, Uint8Array>> = {
  linear: linearModel(1),
  table: lookUpModel(),
  patient: patientModel(),
};
const open: LoadedModel[] = [];
afterAll(() => Promise.all(open.map((one) => one.close())));

async function graphOf(node: GraphNode<typeof outputs>): Promise<OpenGraph> {
  const graph = await openGraph(
    model('graph', { features, outputs, graph: node }),
    (name) => FILES[name] as Uint8Array,
  );
  open.push(...Array.from(graph.models.values(), ({ loaded }) => loaded));
  return graph;
}

const shown = (told: Awaited<ReturnType<typeof answersOf>>) =>
  told.map((one) => (one instanceof HeadraceError ? one.code : one[0]));
const messageOf = (told: Awaited<ReturnType<typeof answersOf>>, row = 0): string =>
  (told[row] as HeadraceError).message;

/** Rounds that take a second or so, ten times what a node has: a thread can't be ended before they are over. */
const HANGS = 5e5;

describe('a model that a graph runs', () => {
  it('fails the rows that its runtime throws for, by the node’s name', async () => {
    const graph = await graphOf(modelNode('looked', table));
    const told = await answersOf(graph, [[1], [99], [3]]);
    expect(shown(told)).toEqual([10, 'HR_INFERENCE_FAILED', 30]);
    expect(messageOf(told, 1)).toMatch(/^node "looked": the model's runtime failed: /);
    expect(graph.nodeCounts()).toMatchObject([{ node: 'looked', version: 1, rows: 2, failures: 1 }]);
  });

  it('that hangs is given up when its time is over, and its ensemble answers without it', async () => {
    const slow = modelNode('slow', patient, { timeoutMs: 100, onFailure: 'skip' });
    const graph = await graphOf(ensembleNode('both', [modelNode('quick', linear), slow], { by: 'mean' }));
    expect(shown(await answersOf(graph, [[2]]))).toEqual([2]);
    expect(shown(await answersOf(graph, [[HANGS]]))).toEqual([HANGS]);
    const quick = graph.nodeCounts().find(({ node }) => node === 'quick');
    expect(quick).toMatchObject({ rows: 2, failures: 0 });
  });

  it('that hangs without a policy fails its rows by the node’s own time, not the request’s', async () => {
    const graph = await graphOf(modelNode('slow', patient, { timeoutMs: 100 }));
    const told = await answersOf(graph, [[HANGS]]);
    expect(shown(told)).toEqual(['HR_DEADLINE']);
    expect(messageOf(told)).toContain('node "slow": it did not answer within its 100 ms');
  });

  it('that was closed fails its rows, or has its outputs stood in for', async () => {
    const [bare, kept] = [
      await graphOf(modelNode('gone', linear)),
      await graphOf(modelNode('gone', linear, { onFailure: { outputs: { probability: 0.5 } } })),
    ];
    await Promise.all(open.splice(-2).map((one) => one.close()));
    expect(shown(await answersOf(bare, [[1]]))).toEqual(['HR_MODEL_NOT_READY']);
    expect(shown(await answersOf(kept, [[1]]))).toEqual([0.5]);
    expect(kept.nodeCounts()).toMatchObject([{ rows: 0, failures: 1 }]);
  });

  it('leaves the queue with a request that is cancelled, whatever stands in', async () => {
    const graph = await graphOf(modelNode('one', linear, { onFailure: { outputs: { probability: 0.5 } } }));
    const scope = scopeOf();
    const told = answersOf(graph, [[1]], scope);
    scope.cancel();
    expect(shown(await told)).toEqual([0.5]);
    expect(() => scope.check('anything', 1)).toThrow(/went away/);
  });

  it('keeps a row of no number from it as the model alone does', async () => {
    const graph = await graphOf(modelNode('one', linear));
    expect(shown(await answersOf(graph, [[null]]))).toEqual([NaN]);
    expect(graph.binding.check([null])).toBeUndefined();
  });
});

describe('a function that a graph runs', () => {
  it.each<[result: unknown, message: RegExp]>([
    [{ probability: 'high' }, /node "odd", output "probability": expected float32 or null, got string "high"/],
    [undefined, /node "odd": expected its run to return an object of probability, got undefined/],
    [Promise.resolve({ probability: 1 }), /got a Promise: the function must be synchronous/],
    [{ chance: 1 }, /output "probability": expected float32 or null, got undefined/],
  ])('that gives %o fails the row, which is no fault of the server', async (result, message) => {
    const run = () => result as { readonly probability: number };
    const [told] = await answersOf(await graphOf(functionNode('odd', { inputs: x, outputs, run })), [[1]]);
    const refused = { code: 'HR_TRANSFORM_FAILED', status: 422, message: expect.stringMatching(message) };
    expect(told).toMatchObject(refused);
  });

  it('that throws is stood in for where that is declared', async () => {
    const node = functionNode('odd', {
      inputs: x,
      outputs,
      run({ features: { given__x: value } }) {
        if (value === 2) throw new RangeError('no twos');
        return { probability: value };
      },
      onFailure: { outputs: { probability: null } },
    });
    const graph = await graphOf(node);
    expect(shown(await answersOf(graph, [[1], [2], [3]]))).toEqual([1, null, 3]);
    expect(graph.nodeCounts()).toMatchObject([{ rows: 2, failures: 1 }]);
  });

  it('that names no case fails the row of a router', async () => {
    const node = routerNode('way', {
      inputs: x,
      cases: { low: modelNode('one', linear) },
      choose: ({ features: { given__x: value } }) => (value === 1 ? 'low' : ('high' as 'low')),
    });
    const told = await answersOf(await graphOf(node), [[1], [2]]);
    expect(shown(told)).toEqual([1, 'HR_TRANSFORM_FAILED']);
    expect(messageOf(told, 1)).toBe('node "way": expected its choose to return one of "low", got string "high".');
  });
});

describe('an ensemble', () => {
  it('fails a row that too few members answer, by the first that failed', async () => {
    const members = [modelNode('looked', table, { onFailure: 'skip' }), modelNode('one', linear)] as const;
    const node = ensembleNode('both', members, { by: 'mean', minimum: 2 });
    const told = await answersOf(await graphOf(node), [[1], [99]]);
    expect(shown(told)).toEqual([5.5, 'HR_INFERENCE_FAILED']);
    expect(messageOf(told, 1)).toMatch(/^node "both": 1 of its 2 members answered, it takes 2: node "looked": /);
  });

  it('goes by the weight of values, and by the first where several have as much', async () => {
    const says = (name: string, kind: string | null) =>
      functionNode(name, { inputs: x, outputs: { kind: t.string() }, run: () => ({ kind }) });
    const vote = async (kinds: readonly (string | null)[], weights?: readonly number[]) => {
      const members = kinds.map((kind, at) => says(`says${at}`, kind));
      const node = ensembleNode('vote', members, { by: 'vote', ...(weights === undefined ? {} : { weights }) });
      const last = functionNode('last', {
        inputs: { node },
        outputs,
        run: ({ node: { kind } }) => ({ probability: kind === null ? null : kind.charCodeAt(0) }),
      });
      const [value] = shown(await answersOf(await graphOf(last), [[1]]));
      return typeof value === 'number' ? String.fromCharCode(value) : value;
    };
    expect(await vote(['a', 'b', 'b'])).toBe('b');
    expect(await vote(['a', 'b', 'b'], [3, 1, 1])).toBe('a');
    expect(await vote(['b', 'a'])).toBe('b');
    expect(await vote([null, 'a', null])).toBe('a');
    expect(await vote([null, null])).toBeNull();
  });
});

describe('what is told of a run', () => {
  it('is a span and a timing of each node', async () => {
    const spans: Record<string, unknown>[] = [];
    const span = (attributes: Record<string, unknown>): Span => ({
      child(name) {
        const own = { name };
        spans.push(own);
        return span(own);
      },
      set: (name, value) => void (attributes[name] = value),
      end: (thrown) => void (attributes['failed'] = thrown !== undefined),
    });
    const graph = await graphOf(
      functionNode('last', { inputs: { looked: modelNode('looked', table) }, outputs, run: ({ looked }) => looked }),
    );
    const runs: NodeTiming[] = [];
    const scope = scopeOf().child({ span: span({}) });
    await answersOf(graph, [[1], [99]], scope, (run) => runs.push(run));
    const common = { name: 'graph.node', 'headrace.rows': 2 };
    expect(spans).toEqual([
      { ...common, 'headrace.node': 'looked', 'headrace.version': 1, 'headrace.failures': 1, failed: true },
      { ...common, 'headrace.node': 'last', 'headrace.failures': 0, failed: false },
    ]);
    expect(runs).toMatchObject([
      { node: 'looked', version: 1, rows: 1, failures: 1, standIns: 0 },
      { node: 'last', version: null, rows: 1, failures: 0, standIns: 0 },
    ]);
  });
});

// Random graphs beside a naive evaluation that goes by the definition of each node, row by row: the same answers, the same rows
// that fail, and no node run for a row that nothing asks of it.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DataType, HeadraceError } from '../../src/core/index.ts';
import type { ModelSpec, NodeInput, NodeSource, NodeSpec, ResolvedService } from '../../src/definitions/index.ts';
import { compileBinding, compileGraph, createOnnxRuntime, type NodeModel } from '../../src/models/index.ts';
import { answersOf } from '../support/row-answers.ts';
import { linearModel, lookUpModel } from '../support/onnx-model.ts';
import { runs } from '../support/tier.ts';

const FLOAT: DataType = { kind: 'float32' };
const V = [{ name: 'v', type: FLOAT }];
const FEATURES = ['a', 'b'] as const;

function service(name: string, names: readonly string[]): ResolvedService {
  const from = { kind: 'read', read: 0 } as const;
  const features = names.map((own, feature) => ({ name: own, type: FLOAT, from: { ...from, feature } }));
  return { name, requestColumns: [], reads: [], onDemand: [], features };
}

/** What the models are, beside their files. The table has 64 rows, and a negative place counts from its end. */
type ModelName = 'same' | 'triple' | 'table';
const MODELS: Readonly<Record<ModelName, { readonly file: Uint8Array; of(x: number): number | undefined }>> = {
  same: { file: linearModel(1, { output: 'v' }), of: (x) => x },
  triple: { file: linearModel(1, { output: 'v', scale: 3 }), of: (x) => Math.fround(3 * x) },
  table: {
    file: lookUpModel(),
    of(x) {
      // A whole number has no negative zero.
      const place = Math.trunc(x) + 0;
      return place >= 64 || place < -64 ? undefined : 10 * (place < 0 ? place + 64 : place);
    },
  },
};

type Inputs = Readonly<Record<string, Readonly<Record<string, number | null>>>>;
const sumOf = (inputs: Inputs): number =>
  Object.values(inputs).reduce((all, row) => Object.values(row).reduce((sum: number, one) => sum + (one ?? 0), all), 0);
/** Fails rows of a remainder; else a number of its inputs. */
const run = (seed: number) => (inputs: Inputs) => {
  const sum = sumOf(inputs);
  if (Math.abs(Math.trunc(sum)) % 7 === seed % 7) throw new Error('a bad row');
  return { v: sum / 2 + seed };
};
const choose = (seed: number, cases: number) => (inputs: Inputs) =>
  `case${Math.abs(Math.trunc(sumOf(inputs)) + seed) % (cases + 1)}`;

interface Drawn {
  readonly spec: NodeSpec;
  readonly seed: number;
}

/** Nodes in order; each takes from features and from those before it. */
const graphs = fc.array(
  fc.record({
    kind: fc.constantFrom('model', 'model', 'function', 'ensemble', 'router'),
    model: fc.constantFrom<ModelName>('same', 'triple', 'table'),
    picks: fc.array(fc.nat({ max: 1000 }), { minLength: 2, maxLength: 3 }),
    seed: fc.nat({ max: 20 }),
    weights: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 3 }),
    minimum: fc.integer({ min: 1, max: 3 }),
    failure: fc.constantFrom<'fail' | 'skip' | 'outputs'>('fail', 'fail', 'skip', 'outputs'),
  }),
  { minLength: 1, maxLength: 8 },
);
type Draw = typeof graphs extends fc.Arbitrary<infer D> ? D : never;

function build(draw: Draw): readonly Drawn[] {
  const built: Drawn[] = [];
  draw.forEach(({ kind, model, picks, seed, weights, minimum, failure }, place) => {
    const name = `n${place}`;
    const nodeAt = (pick: number): string => `n${pick % place}`;
    const source = (pick: number): NodeSource =>
      pick % (place + 2) < 2 || place === 0
        ? { kind: 'feature', feature: FEATURES[pick % 2] as string }
        : { kind: 'node', node: nodeAt(pick), output: 'v' };
    const inputs = picks.map((pick, at): NodeInput => {
      const from = source(pick);
      return from.kind === 'node'
        ? { kind: 'node', name: `i${at}`, node: from.node }
        : { kind: 'features', name: `i${at}`, features: [{ name: from.feature, type: FLOAT }] };
    });
    const ON_FAILURE = {
      outputs: { onFailure: { kind: 'outputs' as const, values: [seed] } },
      skip: { onFailure: { kind: 'skip' as const } },
      fail: {},
    };
    const common = { name, outputs: V, ...ON_FAILURE[failure] };
    const fn = { id: `node/${name}`, hash: '' };
    const add = (spec: NodeSpec) => built.push({ spec, seed });
    const isAlone = place === 0;
    if (kind === 'ensemble' && !isAlone) {
      const members = picks.map(nodeAt);
      const count = members.length;
      const own = { weights: weights.slice(0, count), minimum: Math.min(minimum, count) };
      add({ ...common, kind, members, by: 'mean', ...own });
    } else if (kind === 'router' && !isAlone) {
      const cases = picks.map((pick, at) => ({ name: `case${at}`, node: nodeAt(pick) }));
      add({ ...common, kind, inputs, cases, function: fn });
    } else if (kind === 'function') add({ ...common, kind, inputs, function: fn });
    else add({ ...common, kind: 'model', model, inputs: { x: source(picks[0] as number) } });
  });
  return built;
}

/** By the definition alone. */
class Oracle {
  readonly answered = new Map<string, number>();
  readonly #known = new Map<string, number | Error>();
  readonly #nodes: ReadonlyMap<string, Drawn>;

  constructor(nodes: readonly Drawn[]) {
    this.#nodes = new Map(nodes.map((node) => [node.spec.name, node]));
  }

  value(name: string, row: readonly number[], at: number): number {
    const key = `${at} ${name}`;
    const known = this.#known.get(key) ?? this.#evaluate(name, row, at);
    this.#known.set(key, known);
    if (known instanceof Error) throw known;
    return known;
  }

  #evaluate(name: string, row: readonly number[], at: number): number | Error {
    const { spec, seed } = this.#nodes.get(name) as Drawn;
    try {
      const value = Math.fround(this.#own(spec, seed, row, at));
      this.answered.set(name, (this.answered.get(name) ?? 0) + 1);
      return value;
    } catch (error) {
      return spec.onFailure?.kind === 'outputs' ? Number(spec.onFailure.values[0]) : (error as Error);
    }
  }

  #own(spec: NodeSpec, seed: number, row: readonly number[], at: number): number {
    const feature = (one: string): number => row[FEATURES.indexOf(one as 'a')] as number;
    // All are asked, whatever the first of them says.
    const ask = (node: string): number | Error => {
      try {
        return this.value(node, row, at);
      } catch (error) {
        return error as Error;
      }
    };
    const given = (inputs: readonly NodeInput[]) => {
      const asked = inputs.map((input) => (input.kind === 'node' ? ask(input.node) : 0));
      const failed = asked.find((value) => value instanceof Error);
      if (failed !== undefined) throw failed;
      return Object.fromEntries(
        inputs.map((input, place) => [
          input.name,
          input.kind === 'node'
            ? { v: asked[place] as number }
            : Object.fromEntries(input.features.map((one) => [one.name, feature(one.name)])),
        ]),
      );
    };
    switch (spec.kind) {
      case 'model': {
        const from = spec.inputs['x'] as NodeSource;
        const x = from.kind === 'node' ? this.value(from.node, row, at) : feature(from.feature);
        const found = MODELS[spec.model as ModelName].of(x);
        if (found === undefined) throw new Error('not in the table');
        return found;
      }
      case 'function':
        return run(seed)(given(spec.inputs)).v;
      case 'router': {
        const chosen = choose(seed, spec.cases.length)(given(spec.inputs));
        const found = spec.cases.find((one) => one.name === chosen);
        if (found === undefined) throw new Error('no such case');
        return this.value(found.node, row, at);
      }
      case 'ensemble': {
        let [sum, weights, members] = [0, 0, 0];
        const asked = spec.members.map(ask);
        asked.forEach((value, place) => {
          if (value instanceof Error) {
            if (this.#nodes.get(spec.members[place] as string)?.spec.onFailure?.kind !== 'skip') throw value;
            return;
          }
          const weight = spec.weights?.[place] as number;
          sum += weight * value;
          weights += weight;
          members++;
        });
        if (members < spec.minimum) throw new Error('too few');
        return sum / weights;
      }
    }
  }
}

const nodeModels = new Map<string, NodeModel>();
beforeAll(async () => {
  const runtime = createOnnxRuntime();
  for (const [name, { file }] of Object.entries(MODELS)) {
    const spec: ModelSpec = { name, service: name, outputs: V, providers: ['cpu'] };
    const own = service(name, ['x']);
    const loaded = await runtime.load(file, { providers: ['cpu'], mayBlock: true });
    const binding = compileBinding(loaded.signature, own, spec);
    nodeModels.set(name, { version: 1, loaded, binding, service: own, spec });
  }
}, 30_000);
afterAll(() => Promise.all(Array.from(nodeModels.values(), ({ loaded }) => loaded.close())));
const nodeModel = (name: string): NodeModel => nodeModels.get(name) as NodeModel;

function compile(nodes: readonly Drawn[]): ReturnType<typeof compileGraph> {
  const graph = { nodes: nodes.map(({ spec }) => spec), output: `n${nodes.length - 1}` };
  const functions = new Map<string, never>();
  const models = new Map<string, NodeModel>();
  for (const { spec, seed } of nodes) {
    if (spec.kind === 'function') functions.set(spec.function.id, run(seed) as never);
    else if (spec.kind === 'router') functions.set(spec.function.id, choose(seed, spec.cases.length) as never);
    else if (spec.kind === 'model') models.set(spec.name, nodeModel(spec.model));
  }
  const spec: ModelSpec = { name: 'graph', service: 'both', outputs: V, providers: ['cpu'], graph };
  return compileGraph({ spec, service: service('both', FEATURES), definitions: { functions }, models });
}

const tables = fc.array(fc.tuple(fc.integer({ min: -40, max: 90 }), fc.integer({ min: -40, max: 90 })), {
  minLength: 1,
  maxLength: 20,
});

describe('a graph', () => {
  it('answers as its nodes evaluated row by row, and runs nothing that nobody asks for', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, tables, async (draw, rows) => {
        const nodes = build(draw);
        const graph = compile(nodes);
        const oracle = new Oracle(nodes);
        const expected = rows.map((row, at) => {
          try {
            return oracle.value(`n${nodes.length - 1}`, row, at);
          } catch {
            return 'fails';
          }
        });
        const told = await answersOf(graph, rows);
        const shown = told.map((one) => (one instanceof HeadraceError ? 'fails' : one[0]));
        expect(shown).toEqual(expected);
        const counted = graph.nodeCounts().map((one) => [one.node, one.rows]);
        expect(counted).toEqual(nodes.map(({ spec: { name } }) => [name, oracle.answered.get(name) ?? 0]));
      }),
      { numRuns: runs(300) },
    );
  });

  it('of one node is the model itself', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom<ModelName>('same', 'triple', 'table'), tables, async (model, rows) => {
        const inputs = { x: { kind: 'feature', feature: 'a' } } as const;
        const graph = compile([{ spec: { name: 'n0', kind: 'model', model, inputs, outputs: V }, seed: 0 }]);
        const shown = async (of: Parameters<typeof answersOf>[0], given: readonly (readonly number[])[]) =>
          (await answersOf(of, given)).map((row) => (row instanceof HeadraceError ? row.code : row));
        const xs = rows.map(([a]) => [a]);
        expect(await shown(graph, rows)).toEqual(await shown(nodeModel(model), xs));
      }),
      { numRuns: runs(60) },
    );
  });
});

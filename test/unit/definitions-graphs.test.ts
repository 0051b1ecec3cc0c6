// Graphs as their repository is loaded: the order of nodes, and the code of their functions, which travels and is pure as that
// of on-demand views.

import { describe, expect, it } from 'vitest';
import { functionsOf, type NodeSpec } from '../../src/definitions/index.ts';
import { callFunction, type Files, failureOf, loadFiles } from '../support/written-repository.ts';

const BASE = `import { ensembleNode, featureService, functionNode, model, modelNode, onDemandView, routerNode, t } from 'headrace';
export const given = onDemandView('given', {
  inputs: { r: { x: t.float64() } }, features: { x: t.float64() }, transform: ({ r }) => ({ x: r.x }),
});
export const features = featureService('features', [given]);
export const outputs = { p: t.float32() };
export const one = model('one', { features, outputs });
`;

const graph = (nodes: string, last: string): string =>
  `${BASE}${nodes}\nexport const whole = model('whole', { features, outputs, graph: ${last} });`;

async function nodesOf(files: Files): Promise<readonly NodeSpec[]> {
  return (await loadFiles(files)).manifest.models['whole']?.graph?.nodes ?? [];
}

describe('a graph', () => {
  it('has each node once, after those that it takes from, whatever is exported', async () => {
    const nodes = `
const a = modelNode('a', one);
export const c = functionNode('c', { inputs: { a }, outputs, run: ({ a }) => a });
const b = modelNode('b', one, { inputs: { given__x: c.out('p') }, timeoutMs: 5 });
const d = ensembleNode('d', [b, a, c], { by: 'mean', weights: [1, 2, 1], minimum: 2, description: 'of three' });`;
    const found = await nodesOf({ 'a.ts': graph(nodes, 'd') });
    expect(found.map(({ name }) => name)).toEqual(['a', 'c', 'b', 'd']);
    expect(found[2]).toMatchObject({
      kind: 'model',
      model: 'one',
      timeoutMs: 5,
      inputs: { given__x: { kind: 'node', node: 'c', output: 'p' } },
    });
    expect(found[3]).toMatchObject({
      members: ['b', 'a', 'c'],
      weights: [1, 2, 1],
      minimum: 2,
      description: 'of three',
    });
  });

  it('is the same however its files lie', async () => {
    const nodes = `
const a = modelNode('a', one);
const b = functionNode('b', { inputs: { a }, outputs, run: ({ a }) => a });`;
    const whole = await loadFiles({ 'a.ts': graph(nodes, 'b') });
    const apart = await loadFiles({
      'z.ts': BASE,
      'm.ts': `import { functionNode, modelNode } from 'headrace'; import { one, outputs } from './z.ts';
export const a = modelNode('a', one);
export const b = functionNode('b', { inputs: { a }, outputs, run: ({ a }) => a });`,
      'a.ts': `import { model } from 'headrace'; import { features, outputs } from './z.ts'; import { b } from './m.ts';
export const whole = model('whole', { features, outputs, graph: b });`,
    });
    expect(apart.hash).toBe(whole.hash);
  });

  it('carries the code of its functions, with what they reach', async () => {
    const code = (factor: number) => `
const FACTOR = ${factor};
const scaled = (x: number | null) => (x ?? 0) * FACTOR;
const a = functionNode('a', { inputs: { features: { given__x: t.float64() } }, outputs, run: ({ features }) => ({ p: scaled(features.given__x) }) });
const made = (name: string) => modelNode(name, one);
const way = routerNode('way', { inputs: { a }, cases: { low: a, high: made('high') }, choose({ a }) { return (a.p ?? 0) < 6 ? 'low' : 'high'; } });`;
    const [three, four] = [
      await loadFiles({ 'a.ts': graph(code(3), 'way') }),
      await loadFiles({ 'a.ts': graph(code(4), 'way') }),
    ];
    expect(callFunction(three, 'node/a', { features: { given__x: 2 } })).toEqual({ p: 6 });
    expect(callFunction(three, 'node/way', { a: { p: 6 } })).toBe('high');
    const hash = ({ manifest }: typeof three, id: string) => functionsOf(manifest).find((ref) => ref.id === id);
    expect(hash(three, 'node/a')?.hash).not.toBe(hash(four, 'node/a')?.hash);
    expect(hash(three, 'node/way')?.hash).toBe(hash(four, 'node/way')?.hash);
    expect(hash(three, 'node/a')?.bundle).toMatch(/^[0-9a-f]{64}$/);
  });

  it('has functions of nodes that a function makes', async () => {
    const nodes = `
const times = (name: string, factor: number) =>
  functionNode(name, { inputs: { features: { given__x: t.float64() } }, outputs, run: ({ features }) => ({ p: (features.given__x ?? 0) * factor }) });
const both = ensembleNode('both', [times('two', 2), times('ten', 10)], { by: 'mean' });`;
    const definitions = await loadFiles({ 'a.ts': graph(nodes, 'both') });
    expect(callFunction(definitions, 'node/two', { features: { given__x: 3 } })).toEqual({ p: 6 });
    expect(callFunction(definitions, 'node/ten', { features: { given__x: 3 } })).toEqual({ p: 30 });
  });

  it('is refused a function that looks at the clock, with its place', async () => {
    const nodes = `const a = functionNode('a', { inputs: { features: { given__x: t.float64() } }, outputs, run: () => ({ p: Date.now() }) });`;
    const { details } = await failureOf(loadFiles({ 'a.ts': graph(nodes, 'a') }));
    expect(details).toMatchObject([
      {
        file: 'a.ts',
        line: 8,
        message: expect.stringContaining('the function of node "a" reaches Date.now, the clock'),
      },
    ]);
  });

  it('changes nothing of models without one', async () => {
    const { manifest } = await loadFiles({ 'a.ts': BASE });
    expect(manifest.models['one']).toEqual({
      name: 'one',
      service: 'features',
      outputs: [{ name: 'p', type: { kind: 'float32' } }],
      providers: ['cpu'],
    });
  });
});

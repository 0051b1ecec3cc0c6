// What a transform can be seen to read of its inputs, held against what it really reads.

import { describe, expect, it } from 'vitest';
import { functionsOf, type NodeSpec } from '../../src/definitions/index.ts';
import * as repo from '../support/written-repository.ts';

const repository = (transform: string): Readonly<Record<string, string>> => ({
  'features.ts': `import { count, entity, featureView, mean, onDemandView, pushed, t } from 'headrace';
import * as rules from './rules.ts';
const airport = entity('airport', { keys: { airport: t.string() } });
const flights = pushed('flights', { columns: { airport: t.string(), delay: t.float64(), at: t.timestamp() }, eventTime: 'at' });
export const delays = featureView('delays', {
  entity: airport, source: flights, features: { mean_7d: mean('delay').over('7d'), n_7d: count().over('7d') },
});
const column = 'mean_7d' as string;
const ratio = (request: any, delays: any) => request.miles / delays.mean_7d;
const all = (row: any): number => Object.keys(row).length;
const meanOf = (row: any): number => row.mean_7d;
export const v = onDemandView('v', {
  inputs: { request: { miles: t.float64(), at: t.timestamp() }, from: delays.as('from', { airport: 'from' }), to: delays.as('to', { airport: 'to' }) },
  features: { y: t.float64() },
  transform: ${transform},
});
`,
  'rules.ts': 'export const ratio = ({ request, from }: any) => ({ y: request.miles / from.mean_7d });',
});

describe('what a transform reads of its inputs', () => {
  const cases: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['({ request, from }) => ({ y: (request.miles ?? 0) / (from.mean_7d ?? 1) })', ['from.mean_7d', 'request.miles']],
    ['({ request }) => ({ y: request.at?.getUTCHours() ?? null })', ['request.at']],
    ['({ from: { mean_7d }, to: { n_7d: n } }) => ({ y: mean_7d })', ['from.mean_7d', 'to.n_7d']],
    ['({ from, to }) => ({ y: meanOf(from) - meanOf(to) })', ['from.mean_7d', 'to.mean_7d']],
    ['({ request, to }) => ({ y: ratio(request, to) })', ['request.miles', 'to.mean_7d']],
    [
      '(inputs) => ({ y: inputs.from.mean_7d ?? inputs.to?.mean_7d ?? inputs.request.miles })',
      ['from.mean_7d', 'request.miles', 'to.mean_7d'],
    ],
    ['(inputs) => { const { from } = inputs; return { y: from.mean_7d }; }', ['from.mean_7d']],
    ['(inputs) => { const { mean_7d } = inputs.from; return { y: mean_7d }; }', ['from.mean_7d']],
    ['rules.ratio', ['from.mean_7d', 'request.miles']],
    ['() => ({ y: 1 })', []],
    // All of an input, and of the others what is seen.
    ['({ from, to }) => ({ y: all(from) + (to.n_7d == null ? 0 : 1) })', ['from', 'to.n_7d']],
    ['({ from }) => ({ y: from[column] })', ['from']],
    ['({ from, to }) => { const both = { ...from, ...to }; return { y: both.mean_7d }; }', ['from', 'to']],
    ['({ from: { mean_7d, ...rest } }) => ({ y: mean_7d })', ['from']],
    ['({ from = {} as any }) => ({ y: from.mean_7d })', ['from']],
    ['({ from }) => ({ y: [1].map((from: any) => from)[0] })', ['from']],
    ['(inputs) => ({ y: all(inputs.from) + inputs.from.mean_7d })', ['from']],
    // Any input.
    ['(inputs) => ({ y: all(inputs) })', undefined],
    ['({ from, ...rest }) => ({ y: from.mean_7d })', undefined],
    [`(inputs) => ({ y: inputs[column === 'x' ? 'from' : 'to'].mean_7d })`, undefined],
    ['function () { return { y: arguments[0].from.mean_7d }; }', undefined],
  ];

  it.each(cases)('%s', async (transform, reads) => {
    const definitions = await repo.loadFiles(repository(transform));
    expect(repo.functionRefs(definitions)['onDemand/v']?.reads).toEqual(reads);
    // What it really reads is among what it is seen to read.
    const read = new Set<string>();
    repo.callFunction(definitions, 'onDemand/v', watched(read));
    if (reads !== undefined) {
      for (const one of read) expect(reads.includes(one) || reads.includes(one.split('.')[0] ?? '')).toBe(true);
    }
  });
});

/** Inputs that tell which of their members are asked for. */
function watched(read: Set<string>): unknown {
  const values: Readonly<Record<string, object>> = {
    request: { miles: 1, at: new Date(0) },
    from: { mean_7d: 2, n_7d: 3n },
    to: { mean_7d: 4, n_7d: 5n },
  };
  const inputs = Object.entries(values).map(([input, members]) => [
    input,
    new Proxy(members, {
      get(target, member, receiver) {
        if (typeof member === 'string') read.add(`${input}.${member}`);
        return Reflect.get(target, member, receiver) as unknown;
      },
    }),
  ]);
  return Object.fromEntries(inputs) as unknown;
}

// What a derive function can be seen to read of its row.
const D = 'source/s/derive/d';

describe('what a derive function reads', () => {
  const cases: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['(row) => row.delay', ['delay']],
    ['(row) => (row.miles ?? 0) + (row?.delay ?? 0)', ['delay', 'miles']],
    ['({ delay, miles: m }) => (delay ?? 0) + (m ?? 0)', ['delay', 'miles']],
    [`(row) => row['delay']`, ['delay']],
    ['(row) => { const { delay, ...rest } = row; return delay; }', undefined],
    ['(row) => { const { delay } = row; return delay; }', ['delay']],
    ['({ delay, ...rest }) => delay', undefined],
    ['(row) => helper(row)', ['delay', 'miles']],
    ['helper', ['delay', 'miles']],
    ['rules.late', ['delay']],
    ['after(15)', ['delay']],
    ['made', ['delay']],
    ['(row) => twice(twice, row)', undefined],
    ['(row) => row[column]', undefined],
    ['(row) => Object.keys(row).length', undefined],
    [`(row) => Number('delay' in row)`, undefined],
    [`(row) => Number(row.hasOwnProperty('delay'))`, undefined],
    ['(row) => { const all = row; return all.delay; }', undefined],
    ['(row) => [1].map((row) => row)[0]', undefined],
    ['function () { return arguments[0].delay; }', undefined],
    ['() => 1', []],
    ['(row) => [1].map(() => row.delay ?? 0)[0]', ['delay']],
  ];
  it.each(cases)('%s', async (derive, reads) => {
    const definitions = await repo.loadFiles({
      's.ts': `${repo.IMPORTS}import * as rules from './rules.ts';
const column = 'delay' as string;
const inner = ({ miles }: any) => miles;
function helper(row: any) { return row.delay + inner(row); }
const after = (n: number) => (row: any) => row.delay > n ? 1 : 0;
const made = after(3);
const twice: any = (f: any, row: any) => f(row);
${repo.sourceText(derive).replace('derive: { d: [t.float64(), ', 'derive: { d: [t.float64() as any, ')}`,
      'rules.ts': 'export const late = (row: any) => row.delay;',
    });
    expect(repo.functionRefs(definitions)[D]?.reads).toEqual(reads);
  });
});

// Graphs as their repository is loaded: the order of nodes, and the code of their functions, which travels and is pure as that
// of on-demand views.
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

async function nodesOf(files: repo.Files): Promise<readonly NodeSpec[]> {
  return (await repo.loadFiles(files)).manifest.models['whole']?.graph?.nodes ?? [];
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
    const inputs = { given__x: { kind: 'node', node: 'c', output: 'p' } };
    expect(found[2]).toMatchObject({ kind: 'model', model: 'one', timeoutMs: 5, inputs });
    const both = { weights: [1, 2, 1], minimum: 2, description: 'of three' };
    expect(found[3]).toMatchObject({ members: ['b', 'a', 'c'], ...both });
  });

  it('is the same however its files lie', async () => {
    const nodes = `
const a = modelNode('a', one);
const b = functionNode('b', { inputs: { a }, outputs, run: ({ a }) => a });`;
    const whole = await repo.loadFiles({ 'a.ts': graph(nodes, 'b') });
    const apart = await repo.loadFiles({
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
      await repo.loadFiles({ 'a.ts': graph(code(3), 'way') }),
      await repo.loadFiles({ 'a.ts': graph(code(4), 'way') }),
    ];
    expect(repo.callFunction(three, 'node/a', { features: { given__x: 2 } })).toEqual({ p: 6 });
    expect(repo.callFunction(three, 'node/way', { a: { p: 6 } })).toBe('high');
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
    const definitions = await repo.loadFiles({ 'a.ts': graph(nodes, 'both') });
    expect(repo.callFunction(definitions, 'node/two', { features: { given__x: 3 } })).toEqual({ p: 6 });
    expect(repo.callFunction(definitions, 'node/ten', { features: { given__x: 3 } })).toEqual({ p: 30 });
  });

  it('is refused a function that looks at the clock, with its place', async () => {
    const nodes = `const a = functionNode('a', { inputs: { features: { given__x: t.float64() } }, outputs, run: () => ({ p: Date.now() }) });`;
    const { details } = await repo.failureOf(repo.loadFiles({ 'a.ts': graph(nodes, 'a') }));
    const message = expect.stringContaining('the function of node "a" reaches Date.now, the clock');
    expect(details).toMatchObject([{ file: 'a.ts', line: 8, message }]);
  });

  it('changes nothing of models without one', async () => {
    const { manifest } = await repo.loadFiles({ 'a.ts': BASE });
    const outputs = [{ name: 'p', type: { kind: 'float32' } }];
    expect(manifest.models['one']).toEqual({ name: 'one', service: 'features', outputs, providers: ['cpu'] });
  });
});

// Small ONNX files, written without Python: for tests of the runtime, of serving, and for the benchmark.
// Field numbers are those of onnx.proto (https://github.com/onnx/onnx, Apache-2.0).

import type { TensorSpec, TensorType } from '../../src/models/index.ts';
import { type Encoded, floats, int, ints, message, text } from './protobuf.ts';

/** Types by their numbers. */
const TYPES = ' float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64'.split(' ');
const numberOf = (type: TensorType): number => TYPES.indexOf(type);
const ML = 'ai.onnx.ml';

const edge = (field: number, { name, type, shape }: TensorSpec): Encoded => {
  const dims = shape.map((size) => message(1, [size === null ? text(2, 'N') : int(1, size)]));
  return message(field, [text(1, name), message(2, [message(1, [int(1, numberOf(type)), message(2, dims)])])]);
};
const input = (name: string, shape: TensorSpec['shape'], type: TensorType = 'float32') =>
  edge(11, { name, type, shape });
const output = (name: string, shape: TensorSpec['shape'], type: TensorType = 'float32') =>
  edge(12, { name, type, shape });

const attribute = (name: string, kind: number, ...value: readonly Encoded[]): Encoded =>
  message(5, [text(1, name), ...value, int(20, kind)]);
const whole = (name: string, value: number): Encoded => attribute(name, 2, int(3, value));
const wholes = (name: string, values: readonly number[]): Encoded => attribute(name, 7, ints(8, values));

/** Names are parted by spaces; two of them leave an input out. `more` are attributes and other fields of the node. */
const op = (type: string, inputs: string, outputs: string, ...more: readonly Encoded[]): Encoded =>
  message(1, [
    ...inputs.split(' ').map((name) => text(1, name)),
    ...outputs.split(' ').map((name) => text(2, name)),
    text(4, type),
    ...more,
  ]);

const weights = (name: string, dims: readonly number[], values: readonly number[]): Encoded =>
  message(5, [...dims.map((size) => int(1, size)), int(2, numberOf('float32')), floats(4, values), text(8, name)]);
const places = (name: string, values: readonly number[]): Encoded =>
  message(5, [int(1, values.length), int(2, numberOf('int64')), ints(7, values), text(8, name)]);
const ones = (name: string, ...dims: readonly number[]): Encoded => weights(name, dims, filled(dims, 1));
const filled = (dims: readonly number[], value: number): number[] =>
  Array<number>(dims.reduce((product, size) => product * size, 1)).fill(value);

/** `edges` are its inputs, then its outputs. */
const model = (nodes: Encoded[], edges: readonly Encoded[], tensors: readonly Encoded[] = []): Uint8Array =>
  Buffer.concat([
    int(1, 8),
    message(7, [...nodes, text(2, 'graph'), ...tensors, ...edges]),
    message(8, [text(1, ''), int(2, 17)]),
    message(8, [text(1, ML), int(2, 3)]),
  ]);

/** `x` [N, features] → `probability` [N, 1]. */
const scoring = (features: number, nodes: Encoded[], tensors: readonly Encoded[] = []): Uint8Array =>
  model(nodes, [input('x', [null, features]), output('probability', [null, 1])], tensors);

/** The sum of `features` columns through a sigmoid (or as it is): [N, features] → `output` [N, 1]. `rows`: N is fixed. */
export function linearModel(
  features: number,
  { output: name = 'probability', sigmoid = false, scale = 1 } = {},
  { rows = null as number | null, node = [] as readonly Encoded[] } = {},
): Uint8Array {
  const sum = op('MatMul', 'x w', sigmoid ? 'sum' : name, ...node);
  const edges = [input('x', [rows, features]), output(name, [rows, 1])];
  const w = weights('w', [features, 1], filled([features], scale));
  return model(sigmoid ? [sum, op('Sigmoid', 'sum', name)] : [sum], edges, [w]);
}

/** The sum of two columns by a node of that name: [N, 2] → `probability` [N, 1]. */
export const namedModel = (name: string): Uint8Array => linearModel(2, {}, { node: [text(3, name)] });

/** A linear model whose batch is fixed at one row. */
export const singleRowModel = (features: number): Uint8Array => linearModel(features, {}, { rows: 1 });

/** Always the same probability, whatever the features, null ones too: for telling versions apart. */
export const constantModel = (features: number, probability: number): Uint8Array =>
  scoring(
    features,
    [
      op('IsNaN', 'x', 'nan'),
      op('Where', 'nan zero zero', 'none'),
      op('MatMul', 'none w', 'sum'),
      op('Add', 'sum b', 'probability'),
    ],
    [weights('zero', [1], [0]), weights('w', [features, 1], filled([features], 0)), weights('b', [1], [probability])],
  );

/** features → hidden → hidden → 1, ReLU between and a sigmoid last, with small fixed weights. */
export function mlpModel(features: number, hidden: number): Uint8Array {
  const layer = (name: string, rows: number, columns: number): Encoded => {
    const values = Array.from({ length: rows * columns }, (_, i) => Math.sin(i + rows) / rows);
    return weights(name, [rows, columns], values);
  };
  return scoring(
    features,
    [
      op('MatMul', 'x w1', 'h1'),
      op('Relu', 'h1', 'a1'),
      op('MatMul', 'a1 w2', 'h2'),
      op('Relu', 'h2', 'a2'),
      op('MatMul', 'a2 w3', 'h3'),
      op('Sigmoid', 'h3', 'probability'),
    ],
    [layer('w1', features, hidden), layer('w2', hidden, hidden), layer('w3', hidden, 1)],
  );
}

/** One column through `layers` dense layers of `width` that share their weights: a small file that takes a known time. */
export function deepModel(width: number, layers: number): Uint8Array {
  const nameOf = (layer: number): string => (layer === layers ? 'last' : `h${layer}`);
  return scoring(
    1,
    [
      op('MatMul', 'x spread', nameOf(0)),
      ...Array.from({ length: layers }, (_, at) => op('MatMul', `${nameOf(at)} mean`, nameOf(at + 1))),
      op('MatMul', 'last gather', 'sum'),
      op('Sigmoid', 'sum', 'probability'),
    ],
    [
      ones('spread', 1, width),
      weights('mean', [width, width], filled([width, width], 1 / width)),
      weights('gather', [width, 1], filled([width], 1 / width)),
    ],
  );
}

/** Gradient-boosted trees as converters write them: `trees` full binary trees of `depth`, summed, then a sigmoid. */
export function treesModel(features: number, trees: number, depth: number): Uint8Array {
  const [inner, size] = [2 ** depth - 1, 2 ** (depth + 1) - 1];
  const places = Array.from({ length: trees * size }, (_, at) => [Math.floor(at / size), at % size] as const);
  type Pick = (tree: number, id: number) => number;
  const all = (pick: Pick) => places.map(([tree, id]) => pick(tree, id));
  const nodes = (name: string, pick: Pick) => wholes(`nodes_${name}`, all(pick));
  /** Of a leaf 0. */
  const inners = (name: string, pick: Pick) => nodes(name, (tree, id) => (id >= inner ? 0 : pick(tree, id)));
  const values = all((tree, id) => (id >= inner ? 0 : Math.sin(tree + id)));
  const ends = places.filter(([, id]) => id >= inner);
  const leaves = (name: string, pick: Pick) =>
    wholes(
      `target_${name}`,
      ends.map(([tree, id]) => pick(tree, id)),
    );
  const modes = places.map(([, id]) => text(9, id >= inner ? 'LEAF' : 'BRANCH_LEQ'));
  const told = ends.map(([tree, id]) => Math.cos(tree * 31 + id) / trees);
  const ensemble = [
    whole('n_targets', 1),
    nodes('treeids', (tree) => tree),
    nodes('nodeids', (_, id) => id),
    inners('featureids', (tree, id) => (tree * 7 + id * 3) % features),
    attribute('nodes_values', 6, floats(7, values)),
    // Too many for the arguments of a call.
    attribute('nodes_modes', 8, Buffer.concat(modes)),
    inners('truenodeids', (_, id) => 2 * id + 1),
    inners('falsenodeids', (_, id) => 2 * id + 2),
    nodes('missing_value_tracks_true', () => 0),
    leaves('treeids', (tree) => tree),
    leaves('nodeids', (_, id) => id),
    leaves('ids', () => 0),
    attribute('target_weights', 6, floats(7, told)),
  ];
  const forest = op('TreeEnsembleRegressor', 'x', 'sum', ...ensemble, text(7, ML));
  return scoring(features, [forest, op('Sigmoid', 'sum', 'probability')]);
}

/** What a converted classifier gives: `label` int64 [N] and `probabilities` [N, 2], here (1 − s, s) of s = Σ x. */
export const classifierModel = (features: number): Uint8Array =>
  model(
    [
      op('MatMul', 'x w', 'p1'),
      op('Sub', 'one p1', 'p0'),
      op('Concat', 'p0 p1', 'probabilities', whole('axis', 1)),
      op('ArgMax', 'probabilities', 'label', whole('axis', 1), whole('keepdims', 0)),
    ],
    [input('x', [null, features]), output('label', [null], 'int64'), output('probabilities', [null, 2])],
    [ones('w', features, 1), ones('one', 1)],
  );

/** Each row less the batch's mean, as `centered`: rows depend on each other. */
export const centeringModel = (features: number): Uint8Array =>
  model(
    [op('ReduceMean', 'x', 'mean', wholes('axes', [0]), whole('keepdims', 1)), op('Sub', 'x mean', 'centered')],
    [input('x', [null, features]), output('centered', [null, features])],
  );

/** The first of two columns less the second, less the batch's mean of that: rows depend on each other only where a row's columns differ. */
export const differencesModel = (): Uint8Array =>
  model(
    [
      op('Gather', 'x first', 'a', whole('axis', 1)),
      op('Gather', 'x second', 'b', whole('axis', 1)),
      op('Sub', 'a b', 'difference'),
      op('ReduceMean', 'difference', 'mean', wholes('axes', [0]), whole('keepdims', 1)),
      op('Sub', 'difference mean', 'y'),
    ],
    [input('x', [null, 2]), output('y', [null, 1])],
    [places('first', [0]), places('second', [1])],
  );

const normalised = (features: number): readonly [Encoded, readonly Encoded[]] => [
  op('LayerNormalization', 'x gain bias', 'normal', whole('axis', -1)),
  [ones('gain', features), weights('bias', [features], filled([features], 0))],
];

/** Each row by its own mean and deviation: [N, features] → `y` [N, features]. Rows do not depend on each other. */
export const layerNormModel = (features: number): Uint8Array => {
  const [node, tensors] = normalised(features);
  const edges = [input('x', [null, features]), output('y', [null, features])];
  return model([node, op('Mul', 'normal gain', 'y')], edges, tensors);
};

/** Self-attention as it is exported without a dimension for the batch: `x` [sequence, features] → `y`, whose rows depend on each other. */
export function attentionModel(features: number): Uint8Array {
  const [node, tensors] = normalised(features);
  const square = (name: string, seed: number): Encoded =>
    weights(
      name,
      [features, features],
      Array.from({ length: features ** 2 }, (_, at) => Math.sin(seed * (at + 1))),
    );
  return model(
    [
      node,
      op('MatMul', 'normal wq', 'q'),
      op('MatMul', 'normal wk', 'k'),
      op('MatMul', 'normal wv', 'v'),
      op('Transpose', 'k', 'turned', wholes('perm', [1, 0])),
      op('MatMul', 'q turned', 'scores'),
      op('Softmax', 'scores', 'shares', whole('axis', -1)),
      op('MatMul', 'shares v', 'gathered'),
      op('Add', 'x gathered', 'y'),
    ],
    [input('x', [null, features]), output('y', [null, features])],
    [...tensors, square('wq', 1), square('wk', 2), square('wv', 3)],
  );
}

/** `a` and `b` [N] of bytes → `y`, a divided by b: the runtime throws where b is 0. */
export const divisionModel = (): Uint8Array =>
  model([op('Div', 'a b', 'y')], [input('a', [null], 'int8'), input('b', [null], 'int8'), output('y', [null], 'int8')]);

/** `x` [3, 4] from `starts` to `ends` by `steps`, each of [2]: the runtime throws for steps of 0. */
export const sliceModel = (): Uint8Array =>
  model(
    [op('Slice', 'x starts ends axes steps', 'y')],
    [
      input('x', [3, 4]),
      ...['starts', 'ends', 'steps'].map((name) => input(name, [2], 'int64')),
      output('y', [null, null]),
    ],
    [places('axes', [0, 1])],
  );

/** `x` [4, 3] as `shape` [2] says: the runtime throws for a shape of 0 by 0. */
export const reshapeModel = (): Uint8Array =>
  model(
    [op('Reshape', 'x shape', 'y', whole('allowzero', 1))],
    [input('x', [4, 3]), input('shape', [2], 'int64'), output('y', [null, null])],
  );

/** [N, 1] → 1 for what is above `limit`, else 0. */
export const stepModel = (limit: number): Uint8Array =>
  scoring(
    1,
    [op('Greater', 'x limit', 'is_above'), op('Cast', 'is_above', 'probability', whole('to', numberOf('float32')))],
    [weights('limit', [], [limit])],
  );

/** [N, features], of which the runtime throws for every row that is not of NaN: `probability` [N, 1] is 0 otherwise. */
export const refusingModel = (features: number): Uint8Array =>
  scoring(
    features,
    [
      op('ReduceMax', 'x', 'most', wholes('axes', [1]), whole('keepdims', 1)),
      op('IsNaN', 'most', 'none'),
      op('Not', 'none', 'some'),
      op('Cast', 'some', 'place', whole('to', numberOf('int64'))),
      op('Gather', 'table place', 'probability'),
    ],
    [weights('table', [1], [0])],
  );

/** A classifier left with its ZipMap: a sequence of maps, which no server of tensors can answer with. */
export function zipMapModel(): Uint8Array {
  const map = message(5, [int(1, numberOf('int64')), message(2, [message(1, [int(1, numberOf('float32'))])])]);
  const maps = message(12, [text(1, 'probabilities'), message(2, [message(4, [message(1, [map])])])]);
  const zip = op('ZipMap', 'x', 'probabilities', wholes('classlabels_int64s', [0, 1]), text(7, ML));
  return model([zip], [input('x', [null, 2]), maps]);
}

/** One input per feature, each given back under `<name>_out`. */
export const passThroughModel = (columns: readonly TensorSpec[]): Uint8Array =>
  model(
    columns.map(({ name }) => op('Identity', name, `${name}_out`)),
    [...columns.map((one) => edge(11, one)), ...columns.map((one) => edge(12, { ...one, name: `${one.name}_out` }))],
  );

/** One row of `features` numbers, each given back as a row of its own: [1, features] → `found` [N, 1], as a detector gives what it finds. */
export const turnedModel = (features: number): Uint8Array =>
  model([op('Transpose', 'x', 'found')], [input('x', [1, features]), output('found', [null, 1])]);

/** The sum of squares of however many columns: `x` [N, M] → `sum` [N, 1]. */
export const squaresModel = (): Uint8Array =>
  model(
    [op('ReduceSumSquare', 'x', 'sum', wholes('axes', [1]), whole('keepdims', 1))],
    [input('x', [null, null]), output('sum', [null, 1])],
  );

/** `x` [N] → itself as `same`, and besides the largest of all, `most`, which has no rows. */
export const largestModel = (): Uint8Array =>
  model(
    [op('Identity', 'x', 'same'), op('ReduceMax', 'x', 'most', whole('keepdims', 0))],
    [input('x', [null]), output('same', [null]), output('most', [])],
  );

/** `x` [N] → those of it that are not below 0, `kept`: rows that it drops are nobody's. */
export const droppingModel = (): Uint8Array =>
  model(
    [op('GreaterOrEqual', 'x zero', 'stays'), op('Compress', 'x stays', 'kept', whole('axis', 0))],
    [input('x', [null]), output('kept', [null])],
    [weights('zero', [], [0])],
  );

/** [N, 1] → itself, after as many rounds as the largest `x` of the batch says, and `more`: takes as long as it is told to. */
export function patientModel(more = 0): Uint8Array {
  const body = [
    op('Identity', 'goes_on', 'goes_on_out'),
    op('Identity', 'value', 'value_out'),
    text(2, 'body'),
    input('round', [], 'int64'),
    input('goes_on', [], 'bool'),
    input('value', [null, 1]),
    output('goes_on_out', [], 'bool'),
    output('value_out', [null, 1]),
  ];
  return scoring(
    1,
    [
      op('ReduceMax', 'x', 'most', whole('keepdims', 0)),
      op('Add', 'most more', 'all'),
      op('Cast', 'all', 'rounds', whole('to', numberOf('int64'))),
      op('Loop', 'rounds  x', 'probability', attribute('body', 5, message(6, body))),
    ],
    [weights('more', [], [more])],
  );
}

/** [N, 1] → 10 · x for 0 ≤ x < 64, a whole number; for any other the runtime throws. */
export function lookUpModel(): Uint8Array {
  const table = Array.from({ length: 64 }, (_, at) => 10 * at);
  const place = op('Cast', 'x', 'place', whole('to', numberOf('int64')));
  return scoring(1, [place, op('Gather', 'table place', 'probability')], [weights('table', [64], table)]);
}

// feature_repo/models/morning.onnx is one: a model of the day's first hours.
/** [N, features] → a probability by the whole number of one column, of so many; past its end the runtime throws. */
export function hoursModel(features: number, column: number, hours: number): Uint8Array {
  const table = Array.from({ length: hours }, (_, hour) => 0.1 + hour / 100);
  return scoring(
    features,
    [
      op('Gather', 'x column', 'chosen', whole('axis', 1)),
      op('Cast', 'chosen', 'hour', whole('to', numberOf('int64'))),
      op('Gather', 'table hour', 'probability'),
    ],
    [places('column', [column]), weights('table', [hours], table)],
  );
}

/** Half-precision numbers in and out: [N, features] → their sum, [N, 1]. */
export const halfModel = (features: number): Uint8Array =>
  model(
    [
      op('Cast', 'x', 'wide', whole('to', numberOf('float32'))),
      op('MatMul', 'wide w', 'sum'),
      op('Cast', 'sum', 'probability', whole('to', numberOf('float16'))),
    ],
    [input('x', [null, features], 'float16'), output('probability', [null, 1], 'float16')],
    [ones('w', features, 1)],
  );

// Small ONNX files, written without Python: for tests of the runtime, of serving, and for the benchmark.
// Field numbers are those of onnx.proto (https://github.com/onnx/onnx, Apache-2.0).

import { type Encoded, float, floats, int, ints, message, text } from './protobuf.ts';

const ELEMENT = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
} as const;
type Element = keyof typeof ELEMENT;

/** A dimension that is null is open. */
interface Edge {
  readonly name: string;
  readonly type: Element;
  readonly shape: readonly (number | null)[];
}

const tensorType = ({ type, shape }: Omit<Edge, 'name'>): Encoded =>
  message(1, [
    int(1, ELEMENT[type]),
    message(
      2,
      shape.map((size) => message(1, [size === null ? text(2, 'N') : int(1, size)])),
    ),
  ]);

const edge = (field: number, value: Edge): Encoded =>
  message(field, [text(1, value.name), message(2, [tensorType(value)])]);

const ATTRIBUTE = { float: 1, int: 2, string: 3, graph: 5, floats: 6, ints: 7, strings: 8 } as const;
type Attribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly string: string }
  | { readonly graph: readonly Encoded[] }
  | { readonly floats: readonly number[] }
  | { readonly ints: readonly number[] }
  | { readonly strings: readonly string[] };

function attribute(name: string, value: Attribute): Encoded {
  if ('float' in value) return message(5, [text(1, name), float(2, value.float), int(20, ATTRIBUTE.float)]);
  if ('int' in value) return message(5, [text(1, name), int(3, value.int), int(20, ATTRIBUTE.int)]);
  if ('string' in value) return message(5, [text(1, name), text(4, value.string), int(20, ATTRIBUTE.string)]);
  if ('graph' in value) return message(5, [text(1, name), message(6, value.graph), int(20, ATTRIBUTE.graph)]);
  if ('floats' in value) return message(5, [text(1, name), floats(7, value.floats), int(20, ATTRIBUTE.floats)]);
  if ('ints' in value) return message(5, [text(1, name), ints(8, value.ints), int(20, ATTRIBUTE.ints)]);
  return message(5, [text(1, name), ...value.strings.map((item) => text(9, item)), int(20, ATTRIBUTE.strings)]);
}

interface Node {
  readonly op: string;
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

const node = ({ op, name, inputs, outputs, domain, attributes = {} }: Node): Encoded =>
  message(1, [
    ...inputs.map((input) => text(1, input)),
    ...outputs.map((output) => text(2, output)),
    ...(name === undefined ? [] : [text(3, name)]),
    text(4, op),
    ...Object.entries(attributes).map(([key, value]) => attribute(key, value)),
    ...(domain === undefined ? [] : [text(7, domain)]),
  ]);

const weights = (name: string, dims: readonly number[], values: readonly number[]): Encoded =>
  message(5, [...dims.map((size) => int(1, size)), int(2, ELEMENT.float32), floats(4, values), text(8, name)]);

interface Graph {
  readonly nodes: readonly Node[];
  readonly inputs: readonly Edge[];
  readonly outputs: readonly Edge[];
  readonly initializers?: readonly Encoded[];
  /** Fields written by hand: other types, maps, sequences. */
  readonly rawInputs?: readonly Encoded[];
  readonly rawOutputs?: readonly Encoded[];
}

function model({ nodes, inputs, outputs, initializers = [], rawInputs = [], rawOutputs = [] }: Graph): Uint8Array {
  return Buffer.concat([
    int(1, 8),
    message(7, [
      ...nodes.map(node),
      text(2, 'graph'),
      ...initializers,
      ...inputs.map((value) => edge(11, value)),
      ...outputs.map((value) => edge(12, value)),
      ...rawInputs,
      ...rawOutputs,
    ]),
    message(8, [text(1, ''), int(2, 17)]),
    message(8, [text(1, 'ai.onnx.ml'), int(2, 3)]),
  ]);
}

const matrix = (name: string, width: number | null, type: Element = 'float32'): Edge => ({
  name,
  type,
  shape: [null, width],
});

/** The sum of `features` columns through a sigmoid (or as it is): [N, features] → `output` [N, 1]. */
export function linearModel(
  features: number,
  options: { output?: string; sigmoid?: boolean; scale?: number } = {},
): Uint8Array {
  const { output = 'probability', sigmoid = false, scale = 1 } = options;
  const nodes: Node[] = [{ op: 'MatMul', inputs: ['x', 'w'], outputs: [sigmoid ? 'sum' : output] }];
  if (sigmoid) nodes.push({ op: 'Sigmoid', inputs: ['sum'], outputs: [output] });
  return model({
    nodes,
    inputs: [matrix('x', features)],
    outputs: [matrix(output, 1)],
    initializers: [weights('w', [features, 1], Array<number>(features).fill(scale))],
  });
}

/** The sum of two columns by a node of that name: [N, 2] → `probability` [N, 1]. */
export function namedModel(name: string): Uint8Array {
  return model({
    nodes: [{ op: 'MatMul', name, inputs: ['x', 'w'], outputs: ['probability'] }],
    inputs: [matrix('x', 2)],
    outputs: [matrix('probability', 1)],
    initializers: [weights('w', [2, 1], [1, 1])],
  });
}

/** Always the same probability, whatever the features, null ones too: for telling versions apart. */
export function constantModel(features: number, probability: number): Uint8Array {
  return model({
    nodes: [
      { op: 'IsNaN', inputs: ['x'], outputs: ['nan'] },
      { op: 'Where', inputs: ['nan', 'zero', 'zero'], outputs: ['none'] },
      { op: 'MatMul', inputs: ['none', 'w'], outputs: ['sum'] },
      { op: 'Add', inputs: ['sum', 'b'], outputs: ['probability'] },
    ],
    inputs: [matrix('x', features)],
    outputs: [matrix('probability', 1)],
    initializers: [
      weights('zero', [1], [0]),
      weights('w', [features, 1], Array<number>(features).fill(0)),
      weights('b', [1], [probability]),
    ],
  });
}

/** features → hidden → hidden → 1, ReLU between and a sigmoid last, with small fixed weights. */
export function mlpModel(features: number, hidden: number): Uint8Array {
  const layer = (rows: number, columns: number) =>
    Array.from({ length: rows * columns }, (_, i) => Math.sin(i + rows) / rows);
  return model({
    nodes: [
      { op: 'MatMul', inputs: ['x', 'w1'], outputs: ['h1'] },
      { op: 'Relu', inputs: ['h1'], outputs: ['a1'] },
      { op: 'MatMul', inputs: ['a1', 'w2'], outputs: ['h2'] },
      { op: 'Relu', inputs: ['h2'], outputs: ['a2'] },
      { op: 'MatMul', inputs: ['a2', 'w3'], outputs: ['h3'] },
      { op: 'Sigmoid', inputs: ['h3'], outputs: ['probability'] },
    ],
    inputs: [matrix('x', features)],
    outputs: [matrix('probability', 1)],
    initializers: [
      weights('w1', [features, hidden], layer(features, hidden)),
      weights('w2', [hidden, hidden], layer(hidden, hidden)),
      weights('w3', [hidden, 1], layer(hidden, 1)),
    ],
  });
}

/**
 * One column through `layers` dense layers of `width` that share their weights, so that the file stays small: for models
 * that take a known time. Every layer gives each place the mean of all, so values neither grow nor vanish.
 */
export function deepModel(width: number, layers: number): Uint8Array {
  const name = (layer: number): string => (layer === layers ? 'last' : `h${layer}`);
  return model({
    nodes: [
      { op: 'MatMul', inputs: ['x', 'spread'], outputs: [name(0)] },
      ...Array.from({ length: layers }, (_, layer) => ({
        op: 'MatMul',
        inputs: [name(layer), 'mean'],
        outputs: [name(layer + 1)],
      })),
      { op: 'MatMul', inputs: ['last', 'gather'], outputs: ['sum'] },
      { op: 'Sigmoid', inputs: ['sum'], outputs: ['probability'] },
    ],
    inputs: [matrix('x', 1)],
    outputs: [matrix('probability', 1)],
    initializers: [
      weights('spread', [1, width], Array<number>(width).fill(1)),
      weights('mean', [width, width], Array<number>(width * width).fill(1 / width)),
      weights('gather', [width, 1], Array<number>(width).fill(1 / width)),
    ],
  });
}

/** Gradient-boosted trees as converters write them: `trees` full binary trees of `depth`, summed, then a sigmoid. */
export function treesModel(features: number, trees: number, depth: number): Uint8Array {
  const nodes: { tree: number; id: number; feature: number; threshold: number; isLeaf: boolean }[] = [];
  const leaves = 2 ** depth;
  for (let tree = 0; tree < trees; tree++) {
    for (let id = 0; id < 2 * leaves - 1; id++) {
      const isLeaf = id >= leaves - 1;
      nodes.push({
        tree,
        id,
        isLeaf,
        feature: isLeaf ? 0 : (tree * 7 + id * 3) % features,
        threshold: Math.sin(tree + id),
      });
    }
  }
  const leafNodes = nodes.filter(({ isLeaf }) => isLeaf);
  const all = (pick: (node: (typeof nodes)[number]) => number) => ({ ints: nodes.map(pick) });
  return model({
    nodes: [
      {
        op: 'TreeEnsembleRegressor',
        inputs: ['x'],
        outputs: ['sum'],
        domain: 'ai.onnx.ml',
        attributes: {
          n_targets: { int: 1 },
          nodes_treeids: all(({ tree }) => tree),
          nodes_nodeids: all(({ id }) => id),
          nodes_featureids: all(({ feature }) => feature),
          nodes_values: { floats: nodes.map(({ threshold, isLeaf }) => (isLeaf ? 0 : threshold)) },
          nodes_modes: { strings: nodes.map(({ isLeaf }) => (isLeaf ? 'LEAF' : 'BRANCH_LEQ')) },
          nodes_truenodeids: all(({ id, isLeaf }) => (isLeaf ? 0 : 2 * id + 1)),
          nodes_falsenodeids: all(({ id, isLeaf }) => (isLeaf ? 0 : 2 * id + 2)),
          nodes_missing_value_tracks_true: all(() => 0),
          target_treeids: { ints: leafNodes.map(({ tree }) => tree) },
          target_nodeids: { ints: leafNodes.map(({ id }) => id) },
          target_ids: { ints: leafNodes.map(() => 0) },
          target_weights: { floats: leafNodes.map(({ tree, id }) => Math.cos(tree * 31 + id) / trees) },
        },
      },
      { op: 'Sigmoid', inputs: ['sum'], outputs: ['probability'] },
    ],
    inputs: [matrix('x', features)],
    outputs: [matrix('probability', 1)],
  });
}

/** What a converted classifier gives: `label` int64 [N] and `probabilities` [N, 2], here (1 − s, s) of s = Σ x. */
export function classifierModel(features: number): Uint8Array {
  return model({
    nodes: [
      { op: 'MatMul', inputs: ['x', 'w'], outputs: ['p1'] },
      { op: 'Sub', inputs: ['one', 'p1'], outputs: ['p0'] },
      { op: 'Concat', inputs: ['p0', 'p1'], outputs: ['probabilities'], attributes: { axis: { int: 1 } } },
      {
        op: 'ArgMax',
        inputs: ['probabilities'],
        outputs: ['label'],
        attributes: { axis: { int: 1 }, keepdims: { int: 0 } },
      },
    ],
    inputs: [matrix('x', features)],
    outputs: [{ name: 'label', type: 'int64', shape: [null] }, matrix('probabilities', 2)],
    initializers: [weights('w', [features, 1], Array<number>(features).fill(1)), weights('one', [1], [1])],
  });
}

/** Each row less the batch's mean, as `centered`: rows depend on each other. */
export function centeringModel(features: number): Uint8Array {
  return model({
    nodes: [
      { op: 'ReduceMean', inputs: ['x'], outputs: ['mean'], attributes: { axes: { ints: [0] }, keepdims: { int: 1 } } },
      { op: 'Sub', inputs: ['x', 'mean'], outputs: ['centered'] },
    ],
    inputs: [matrix('x', features)],
    outputs: [matrix('centered', features)],
  });
}

/** A classifier left with its ZipMap: a sequence of maps, which no server of tensors can answer with. */
export function zipMapModel(): Uint8Array {
  const int64ToFloat = message(5, [int(1, ELEMENT.int64), message(2, [message(1, [int(1, ELEMENT.float32)])])]);
  return model({
    nodes: [
      {
        op: 'ZipMap',
        inputs: ['x'],
        outputs: ['probabilities'],
        domain: 'ai.onnx.ml',
        attributes: { classlabels_int64s: { ints: [0, 1] } },
      },
    ],
    inputs: [matrix('x', 2)],
    outputs: [],
    rawOutputs: [message(12, [text(1, 'probabilities'), message(2, [message(4, [message(1, [int64ToFloat])])])])],
  });
}

/** One input per feature, each given back under `<name>_out`. */
export function passThroughModel(columns: readonly Edge[]): Uint8Array {
  return model({
    nodes: columns.map(({ name }) => ({ op: 'Identity', inputs: [name], outputs: [`${name}_out`] })),
    inputs: columns,
    outputs: columns.map((column) => ({ ...column, name: `${column.name}_out` })),
  });
}

/** A linear model whose batch is fixed at one row. */
export function singleRowModel(features: number): Uint8Array {
  return model({
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['probability'] }],
    inputs: [{ name: 'x', type: 'float32', shape: [1, features] }],
    outputs: [{ name: 'probability', type: 'float32', shape: [1, 1] }],
    initializers: [weights('w', [features, 1], Array<number>(features).fill(1))],
  });
}

/** One row of `features` numbers, each given back as a row of its own: [1, features] → `found` [N, 1], as a detector gives what it finds. */
export function turnedModel(features: number): Uint8Array {
  return model({
    nodes: [{ op: 'Transpose', inputs: ['x'], outputs: ['found'] }],
    inputs: [{ name: 'x', type: 'float32', shape: [1, features] }],
    outputs: [matrix('found', 1)],
  });
}

/** The sum of squares of however many columns: `x` [N, M] → `sum` [N, 1]. */
export function squaresModel(): Uint8Array {
  return model({
    nodes: [
      {
        op: 'ReduceSumSquare',
        inputs: ['x'],
        outputs: ['sum'],
        attributes: { axes: { ints: [1] }, keepdims: { int: 1 } },
      },
    ],
    inputs: [matrix('x', null)],
    outputs: [matrix('sum', 1)],
  });
}

/** `x` [N] → itself as `same`, and besides the largest of all, `most`, which has no rows. */
export function largestModel(): Uint8Array {
  return model({
    nodes: [
      { op: 'Identity', inputs: ['x'], outputs: ['same'] },
      { op: 'ReduceMax', inputs: ['x'], outputs: ['most'], attributes: { keepdims: { int: 0 } } },
    ],
    inputs: [{ name: 'x', type: 'float32', shape: [null] }],
    outputs: [
      { name: 'same', type: 'float32', shape: [null] },
      { name: 'most', type: 'float32', shape: [] },
    ],
  });
}

/** `x` [N] → those of it that are not below 0, `kept`: rows that it drops are nobody's. */
export function droppingModel(): Uint8Array {
  return model({
    nodes: [
      { op: 'GreaterOrEqual', inputs: ['x', 'zero'], outputs: ['stays'] },
      { op: 'Compress', inputs: ['x', 'stays'], outputs: ['kept'], attributes: { axis: { int: 0 } } },
    ],
    inputs: [{ name: 'x', type: 'float32', shape: [null] }],
    outputs: [{ name: 'kept', type: 'float32', shape: [null] }],
    initializers: [weights('zero', [], [0])],
  });
}

/**
 * [N, 1] → itself, after as many rounds as the largest `x` of the batch says, and `more`: takes as long as it is told to.
 */
export function patientModel(more = 0): Uint8Array {
  const scalar = (field: number, name: string, type: Element): Encoded => edge(field, { name, type, shape: [] });
  const body = [
    node({ op: 'Identity', inputs: ['goes_on'], outputs: ['goes_on_out'] }),
    node({ op: 'Identity', inputs: ['value'], outputs: ['value_out'] }),
    text(2, 'body'),
    scalar(11, 'round', 'int64'),
    scalar(11, 'goes_on', 'bool'),
    edge(11, matrix('value', 1)),
    scalar(12, 'goes_on_out', 'bool'),
    edge(12, matrix('value_out', 1)),
  ];
  return model({
    nodes: [
      { op: 'ReduceMax', inputs: ['x'], outputs: ['most'], attributes: { keepdims: { int: 0 } } },
      { op: 'Add', inputs: ['most', 'more'], outputs: ['all'] },
      { op: 'Cast', inputs: ['all'], outputs: ['rounds'], attributes: { to: { int: ELEMENT.int64 } } },
      { op: 'Loop', inputs: ['rounds', '', 'x'], outputs: ['probability'], attributes: { body: { graph: body } } },
    ],
    inputs: [matrix('x', 1)],
    outputs: [matrix('probability', 1)],
    initializers: [weights('more', [], [more])],
  });
}

/** [N, 1] → 10 · x for 0 ≤ x < 64, a whole number; for any other the runtime throws. */
export function lookUpModel(): Uint8Array {
  return model({
    nodes: [
      { op: 'Cast', inputs: ['x'], outputs: ['place'], attributes: { to: { int: ELEMENT.int64 } } },
      { op: 'Gather', inputs: ['table', 'place'], outputs: ['probability'] },
    ],
    inputs: [matrix('x', 1)],
    outputs: [matrix('probability', 1)],
    initializers: [
      weights(
        'table',
        [64],
        Array.from({ length: 64 }, (_, at) => 10 * at),
      ),
    ],
  });
}

/**
 * [N, features] → a probability by the whole number of one column, from a table of so many rows; past its end the runtime throws.
 * feature_repo/models/morning.onnx is one: a model of the day's first hours.
 */
export function hoursModel(features: number, column: number, hours: number): Uint8Array {
  const wholes = (name: string, dims: readonly number[], values: readonly number[]): Encoded =>
    message(5, [...dims.map((size) => int(1, size)), int(2, ELEMENT.int64), ints(7, values), text(8, name)]);
  return model({
    nodes: [
      { op: 'Gather', inputs: ['x', 'column'], outputs: ['chosen'], attributes: { axis: { int: 1 } } },
      { op: 'Cast', inputs: ['chosen'], outputs: ['hour'], attributes: { to: { int: ELEMENT.int64 } } },
      { op: 'Gather', inputs: ['table', 'hour'], outputs: ['probability'] },
    ],
    inputs: [matrix('x', features)],
    outputs: [matrix('probability', 1)],
    initializers: [
      wholes('column', [1], [column]),
      weights(
        'table',
        [hours],
        Array.from({ length: hours }, (_, hour) => 0.1 + hour / 100),
      ),
    ],
  });
}

/** Half-precision numbers in and out: [N, features] → their sum, [N, 1]. */
export function halfModel(features: number): Uint8Array {
  const to = (element: number) => ({ to: { int: element } });
  const half = (field: number, name: string, width: number): Encoded =>
    message(field, [
      text(1, name),
      message(2, [
        message(1, [int(1, FLOAT16), message(2, [message(1, [text(2, 'N')]), message(1, [int(1, width)])])]),
      ]),
    ]);
  return model({
    nodes: [
      { op: 'Cast', inputs: ['x'], outputs: ['wide'], attributes: to(ELEMENT.float32) },
      { op: 'MatMul', inputs: ['wide', 'w'], outputs: ['sum'] },
      { op: 'Cast', inputs: ['sum'], outputs: ['probability'], attributes: to(FLOAT16) },
    ],
    inputs: [],
    outputs: [],
    rawInputs: [half(11, 'x', features)],
    rawOutputs: [half(12, 'probability', 1)],
    initializers: [weights('w', [features, 1], Array<number>(features).fill(1))],
  });
}

const FLOAT16 = 10;

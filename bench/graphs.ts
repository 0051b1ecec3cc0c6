// What a graph costs over its nodes: the same rows through a graph of three nodes, and through each of its nodes alone, one
// after the other, in rounds taken in turn. No HTTP and no features: what is measured is what a graph adds.

import type { Value } from '../src/core/index.ts';
import {
  featureService,
  functionNode,
  type GraphNode,
  model,
  modelNode,
  onDemandView,
  t,
} from '../src/definitions/index.ts';
import { type LoadedModel, type RowModel, runRows } from '../src/models/index.ts';
import { treesModel } from '../test/support/onnx-model.ts';
import { openGraph } from '../test/support/open-graph.ts';
import { median } from './median.ts';
import type { Figure, Section } from './report.ts';
import { benchScope, threadTimes, together } from './thread-times.ts';

const FEATURES = 30;
const [TREES, DEPTH] = [200, 6];
/** Of a graph over the sum of its nodes. */
const MOST_RATIO = 1.15;

const columns = Object.fromEntries(Array.from({ length: FEATURES }, (_, at) => [`f${at}`, t.float64()]));
const given = onDemandView('given', { inputs: { r: columns }, features: columns, transform: () => ({}) as never });
const features = featureService('features', [given]);
const outputs = { probability: t.float32() };
const trees = ['one', 'two', 'three'].map((name) => model(name, { features, outputs }));
const [one, two, three] = trees as [(typeof trees)[number], (typeof trees)[number], (typeof trees)[number]];

const first = modelNode('first', one);
const second = modelNode('second', two);
const GRAPHS = {
  'two models side by side, and a function': functionNode('both', {
    inputs: { first, second },
    outputs,
    run: ({ first: { probability: a }, second: { probability: b } }) => ({ probability: ((a ?? 0) + (b ?? 0)) / 2 }),
  }),
  'three models, each fed by the one before': modelNode('third', three, {
    inputs: {
      given__f0: modelNode('fed', two, { inputs: { given__f0: first.out('probability') } }).out('probability'),
    },
  }),
};

export async function graphsSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const [rounds, roundMs] = isQuick ? [5, 60] : [41, 100];
  const figures: Figure[] = [];
  for (const [title, node] of Object.entries(GRAPHS)) {
    const { graph, nodes, close } = await open(node);
    for (const [rows, atOnce] of [
      [1, 1],
      [64, 1],
      [1, 32],
    ] as const) {
      const asked = rowsOf(rows);
      // Nodes of one graph are asked with as much at once as the graph is.
      const askGraph = (): Promise<unknown> =>
        together(atOnce, () => runRows(graph.loaded, graph.binding, asked, benchScope()));
      const askNodes = async (): Promise<void> => {
        for (const run of nodes) await together(atOnce, () => run(asked));
      };
      const measured = await threadTimes(askGraph, askNodes, rounds, roundMs);
      const ratio = median(measured.map(([a, b]) => a / b));
      const micros = (which: 0 | 1): string =>
        `${((1000 * median(measured.map((round) => round[which]))) / atOnce).toFixed(0)} µs`;
      figures.push({
        name: `${title}: ${rows} ${rows === 1 ? 'row' : 'rows'}, ${atOnce} at once`,
        value: micros(0),
        floor: `its nodes, one after the other: ${micros(1)}`,
        ratio: ratio.toFixed(2),
        mustBe: `≤ ${MOST_RATIO}`,
        isReached: ratio <= MOST_RATIO,
      });
    }
    await close();
  }
  return { title: 'Graphs', about: ABOUT, figures };
}

const ABOUT = `Rows of ${FEATURES} features through graphs of three nodes, and through their nodes alone one after the other, in the process and without HTTP: models are ${TREES} trees of depth ${DEPTH}. The thread’s own time for a request, models and all; the ratio is the median of rounds that take turns.`;

interface Opened {
  readonly graph: RowModel & { readonly loaded: LoadedModel };
  /** Each node alone. */
  readonly nodes: readonly ((rows: readonly (readonly Value[])[]) => Promise<unknown>)[];
  close(): Promise<void>;
}

async function open(last: GraphNode<typeof outputs>): Promise<Opened> {
  const whole = model('whole', { features, outputs, graph: last });
  const { spec, models, ...graph } = await openGraph(whole, () => treesModel(FEATURES, TREES, DEPTH));
  const nodes = (spec.graph?.nodes ?? []).map((node) => {
    const own = models.get(node.name);
    if (own !== undefined)
      return (rows: readonly (readonly Value[])[]) => runRows(own.loaded, own.binding, rows, benchScope());
    const run = ({ a, b }: { readonly a: number; readonly b: number }) => ({ probability: (a + b) / 2 });
    return async (rows: readonly (readonly Value[])[]) => rows.map(([a, b]) => run({ a: Number(a), b: Number(b) }));
  });
  return {
    graph,
    nodes,
    async close() {
      for (const { loaded } of models.values()) await loaded.close();
    },
  };
}

function rowsOf(count: number): readonly (readonly Value[])[] {
  return Array.from({ length: count }, (_, row) => Array.from({ length: FEATURES }, (_, at) => Math.sin(row + at)));
}

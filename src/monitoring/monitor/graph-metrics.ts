// The metrics of graphs: what each node of a model that is made of others has counted.

import { MICROS_PER_SECOND } from '../../core/index.ts';
import type { Figures } from './figures.ts';
import type { Metric, Unit } from './metric.ts';
import type { NodeStatistics } from './model-figures.ts';

/** Those without points too. */
export function graphMetrics(models: Figures['models']): Metric[] {
  const nodes = models.flatMap(({ model, version, nodes: own }) =>
    Array.from(own.values(), (counts) => ({ labels: { model, version: String(version), node: counts.node }, counts })),
  );
  const count = (name: string, unit: Unit, help: string, pick: (node: NodeStatistics) => number): Metric => ({
    name,
    unit,
    help,
    kind: 'counter',
    points: nodes.map(({ labels, counts }) => ({ labels, value: pick(counts) })),
  });
  return [
    count('headrace.graph.node.runs', '{run}', 'Times that a node of a graph was given rows.', ({ runs }) => runs),
    count('headrace.graph.node.rows', '{row}', 'Rows that a node of a graph answered.', ({ rows }) => rows),
    count(
      'headrace.graph.node.failures',
      '{row}',
      'Rows that a node of a graph failed itself, whatever became of them.',
      ({ failures }) => failures,
    ),
    count(
      'headrace.graph.node.time',
      's',
      'From rows’ coming to a node of a graph to their answer, its waiting for a model with it.',
      ({ micros }) => micros / MICROS_PER_SECOND,
    ),
  ];
}

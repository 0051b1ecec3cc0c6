// A graph for whoever waits for no row: a node's time is for a request, and with thousands of rows a run it would be up for no
// row's fault.

import type { ModelSpec } from '../../definitions/index.ts';

/** The same where it is no graph. */
export function withoutTimeouts(spec: ModelSpec): ModelSpec {
  const { graph } = spec;
  if (graph === undefined) return spec;
  const nodes = graph.nodes.map((node) => {
    if (node.kind !== 'model') return node;
    const { timeoutMs: _, ...rest } = node;
    return rest;
  });
  return { ...spec, graph: { ...graph, nodes } };
}

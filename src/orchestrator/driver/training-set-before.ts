// The training set that a model was made from: the nearest one among the steps before the step that registers it.

import type { Graph } from '../engine/graph.ts';
import type { StepResults } from './step-results.ts';

/** Its id; null where none of the steps before has one. */
export async function trainingSetBefore(
  graph: Graph,
  results: StepResults,
  { step, scope }: { readonly step: string; readonly scope: string },
): Promise<string | null> {
  const seen = new Set<string>();
  for (let near = needsOf(graph, step); near.length > 0; ) {
    const fresh = near.filter((name) => !seen.has(name));
    for (const name of fresh) {
      seen.add(name);
      const node = graph.nodes.get(name);
      if (node?.kind !== 'step' || node.spec.action.kind !== 'trainingSet') continue;
      const result = await results.of(name, scope);
      if (result !== null && typeof result === 'object' && 'id' in result) return String(result['id']);
    }
    near = fresh.flatMap((name) => needsOf(graph, name));
  }
  return null;
}

function needsOf(graph: Graph, name: string): readonly string[] {
  const node = graph.nodes.get(name);
  if (node === undefined) return [];
  // What a model was judged on is not what it was made from.
  if (node.kind === 'step' && node.spec.action.kind === 'evaluate') return [];
  return node.kind === 'group' ? [...node.needs, node.spec.last] : node.needs;
}

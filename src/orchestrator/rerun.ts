// A run that repeats another from one of its steps on: what comes before is taken from that one.

import { didYouMeanOf, HeadraceError } from '../core/index.ts';
import type { Graph } from './engine/graph.ts';
import type { StoredStep } from './rows/run-store.ts';

/**
 * Steps and groups that a rerun from `step` takes from the run before: those that do not wait for it, directly or through others, and
 * that ended well. A step in a group is repeated with the whole group. Throws HR_INVALID for a step that the pipeline has not.
 */
export function keptSteps(graph: Graph, before: readonly StoredStep[], step: string): readonly string[] {
  if (!graph.nodes.has(step)) {
    const known = [...graph.nodes.keys()];
    const sentence = `pipeline "${graph.pipeline.name}" has no step "${step}".${didYouMeanOf('steps', step, known)}`;
    throw new HeadraceError('HR_INVALID', sentence);
  }
  const again = new Set<string>();
  const repeat = (name: string): void => {
    const outermost = graph.nodes.get(name)?.around[0] ?? name;
    repeatWith(outermost);
  };
  const repeatWith = (name: string): void => {
    if (again.has(name)) return;
    again.add(name);
    for (const { name: inner } of graph.inside.get(name) ?? []) repeatWith(inner);
    for (const { name: waiting } of graph.waiting.get(name) ?? []) repeat(waiting);
  };
  repeat(step);
  const done = new Set(before.map(({ step: name }) => name));
  for (const { step: name, state } of before) if (state !== 'succeeded' && state !== 'skipped') done.delete(name);
  // What has not ended well runs again, with what waits for it. Of a group over nothing its steps have no rows.
  const empty = new Set(before.filter(({ children }) => children === 0).map(({ step: name }) => name));
  for (const { name, around } of graph.nodes.values())
    if (!done.has(name) && !around.some((group) => empty.has(group))) repeat(name);
  return [...graph.nodes.keys()].filter((name) => !again.has(name));
}

// What finished steps and groups gave, read back from their rows: as the steps that need them get it.

import { type Json, parseJson } from '../../core/index.ts';
import { getBlob, type ObjectStore } from '../../storage/index.ts';
import type { TaskOutput } from '../engine/batch.ts';
import { scopeAround, scopeInside } from '../engine/graph.ts';
import type { RunInHand } from '../engine/run-in-hand.ts';
import type { RunStore } from '../rows/run-store.ts';

export interface ResultsDeps {
  readonly store: Pick<RunStore, 'get' | 'outputs'>;
  readonly objects: ObjectStore;
}

/** Results of a run by name, as a step in some scope sees them. Null of one that has none: it was skipped, or has failed. */
export interface StepResults {
  of(name: string, scope: string): Promise<Json>;
}

/** Of one moment, at which what `run` has is written: rows that end later are not seen. */
export function openResults(
  { store, objects }: ResultsDeps,
  { id: run, graph, rows: inHand }: Pick<RunInHand, 'id' | 'graph' | 'rows'>,
): StepResults {
  let rows: Promise<ReadonlyMap<string, number | null>> | undefined;
  const readRows = async (): Promise<ReadonlyMap<string, number | null>> => {
    try {
      const { steps } = await store.get(run);
      return new Map(steps.map((one) => [`${one.step} ${one.scope}`, one.state === 'succeeded' ? one.children : null]));
    } catch (error) {
      // Whoever asks again, asks the database again.
      rows = undefined;
      throw error;
    }
  };
  /** How many children a row has that has succeeded. */
  const childrenOf = async (name: string, scope: string): Promise<number | null> => {
    const row = inHand.get(name)?.get(scope);
    if (row !== undefined) return row.state === 'succeeded' ? row.children : null;
    rows ??= readRows();
    return (await rows).get(`${name} ${scope}`) ?? null;
  };
  const read = async (name: string, scope: string): Promise<Json> => {
    const node = graph.nodes.get(name);
    const children = await childrenOf(name, scope);
    if (node === undefined || children === null) return null;
    if (node.kind === 'group') {
      const results: Json[] = [];
      for (let item = 0; item < children; item++) results.push(await read(node.spec.last, scopeInside(scope, item)));
      return results;
    }
    const outputs: Json[] = [];
    for await (const { index, output } of store.outputs(run, name, scope))
      outputs[index] = await readOutput(objects, output);
    return node.foreach === undefined ? (outputs[0] ?? null) : outputs;
  };
  return { of: (name, scope) => read(name, scopeAround(scope, graph.nodes.get(name)?.around.length ?? 0)) };
}

export async function readOutput(objects: ObjectStore, output: TaskOutput): Promise<Json> {
  const text = 'json' in output ? output.json : Buffer.from(await getBlob(objects, output.blob)).toString();
  return parseJson(text);
}

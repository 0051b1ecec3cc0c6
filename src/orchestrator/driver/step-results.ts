// What finished steps and groups gave, read back from their rows: as the steps that need them get it.

import { type Json, parseJson } from '../../core/index.ts';
import { getBlob, type ObjectStore } from '../../storage/index.ts';
import type { StepChange, TaskOutput } from '../engine/batch.ts';
import { scopeAround, scopeInside } from '../engine/graph.ts';
import type { RunInHand } from '../engine/run-in-hand.ts';
import { openPlaces, type Placement } from '../placement.ts';
import type { RunStore } from '../rows/run-store.ts';
import { readPlacement } from './recorded-items.ts';

/** What is seen of a row, in hand or as it is stored. */
type Seen = Pick<StepChange, 'state' | 'children' | 'placement'>;

export interface ResultsDeps {
  readonly store: Pick<RunStore, 'get' | 'outputs'>;
  readonly objects: ObjectStore;
}

/** Results of a run by name, as a step in some scope sees them. Null of one that has none: it was skipped, or has failed. */
export interface StepResults {
  of(name: string, scope: string): Promise<Json>;
  /** Which of its children is which item's. Undefined where each has the number of its item's place. */
  placementOf(name: string, scope: string): Promise<Placement | undefined>;
}

/** Of one moment, at which what `run` has is written: rows that end later are not seen. */
export function openResults(
  { store, objects }: ResultsDeps,
  { id: run, graph, rows: inHand }: Pick<RunInHand, 'id' | 'graph' | 'rows'>,
): StepResults {
  let rows: Promise<ReadonlyMap<string, Seen>> | undefined;
  const readRows = async (): Promise<ReadonlyMap<string, Seen>> => {
    try {
      const { steps } = await store.get(run);
      return new Map(steps.map((one) => [`${one.step} ${one.scope}`, one]));
    } catch (error) {
      // Whoever asks again, asks the database again.
      rows = undefined;
      throw error;
    }
  };
  const rowOf = async (name: string, scope: string): Promise<Seen | undefined> => {
    const row = inHand.get(name)?.get(scope);
    if (row !== undefined) return row;
    rows ??= readRows();
    return (await rows).get(`${name} ${scope}`);
  };
  const read = async (name: string, scope: string): Promise<Json> => {
    const node = graph.nodes.get(name);
    const row = await rowOf(name, scope);
    if (node === undefined || row?.state !== 'succeeded' || row.children === null) return null;
    const { children } = row;
    const { numberAt, placeOf } = openPlaces(await readPlacement(objects, row.placement));
    if (node.kind === 'group') {
      const results: Json[] = [];
      for (let item = 0; item < children; item++)
        results.push(await read(node.spec.last, scopeInside(scope, numberAt(item))));
      return results;
    }
    const outputs: Json[] = [];
    for await (const { index, output } of store.outputs(run, name, scope)) {
      const place = placeOf(index);
      if (place !== undefined) outputs[place] = await readOutput(objects, output);
    }
    return node.foreach === undefined ? (outputs[0] ?? null) : outputs;
  };
  const scopeOf = (name: string, scope: string): string =>
    scopeAround(scope, graph.nodes.get(name)?.around.length ?? 0);
  return {
    of: (name, scope) => read(name, scopeOf(name, scope)),
    placementOf: async (name, scope) =>
      await readPlacement(objects, (await rowOf(name, scopeOf(name, scope)))?.placement ?? null),
  };
}

export async function readOutput(objects: ObjectStore, output: TaskOutput): Promise<Json> {
  const text = 'json' in output ? output.json : Buffer.from(await getBlob(objects, output.blob)).toString();
  return parseJson(text);
}

// What a driver writes once a step opens: all that it takes to run any of its tasks, on any machine.

import { HeadraceError, type Json, parseJson } from '../../core/index.ts';
import type { Foreach, StepAction, StepSpec } from '../../definitions/index.ts';
import { getBlob, type ObjectStore } from '../../storage/index.ts';
import { itemAt, openPlaces, type Placement } from '../placement.ts';
import type { SecretRef } from './secrets.ts';

/** One JSON document in the artifact store, for a step and scope. Code is named by hash in `action`, each a blob. */
export interface StepOrder {
  readonly run: string;
  readonly pipeline: string;
  readonly step: string;
  /** The item of each group around the step, outermost first: '' at the top, '17/3' in the fourth of the 18th. */
  readonly scope: string;
  readonly action: StepAction;
  /** The hash of the definitions that its run goes by, which steps of Headrace's own go by; left out by earlier versions. */
  readonly definitions?: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** The item of each group around the step, by the group's name. */
  readonly items: Readonly<Record<string, unknown>>;
  readonly foreach?: Foreach;
  /** The items, where `foreach` is over a result. */
  readonly over?: readonly unknown[];
  /** Of a step whose items were edited while its run went on: which task is which item's. */
  readonly placement?: Placement;
  /** Results of the needed steps, by the name that they are needed under. */
  readonly needs: Readonly<Record<string, unknown>>;
  /** Of a step that registers models: the id of the nearest training set before it. */
  readonly trainingSet?: string;
  readonly timeoutMs: number | null;
  readonly resources: StepSpec['resources'];
  readonly isolate?: true;
  /** Its tasks are not given their place among the items. */
  readonly index?: false;
  /** Of a step whose outputs are cached. */
  readonly cache?: CacheReads;
  readonly env: Readonly<Record<string, string>>;
  /** By the variable that holds it; the values are in no order. */
  readonly secrets: Readonly<Record<string, SecretRef>>;
}

/** What the tasks of a cached step go by that no other member of their order says, as it was when the step opened. */
export interface CacheReads {
  /** Versions and hashes by name: `machine.python`, `source.orders`, `spine`. */
  readonly reads: Readonly<Record<string, Json>>;
  /** Why the outputs are neither looked up nor kept, as a sentence; left out where they are. */
  readonly off?: string;
}

const SCHEME = 'blob:';

/** The order that a slice names. Throws HR_ARTIFACT_UNREADABLE. */
export async function readOrder(objects: ObjectStore, spec: string): Promise<StepOrder> {
  if (!spec.startsWith(SCHEME)) {
    throw new HeadraceError('HR_INVALID', `an order lies at blob:<SHA-256>, got ${JSON.stringify(spec.slice(0, 80))}`);
  }
  const text = Buffer.from(await getBlob(objects, spec.slice(SCHEME.length))).toString();
  return parseJson(text) as unknown as StepOrder; // written by a driver, and checked against its hash
}

/** Whether its tasks are not given their place: that of a cached step is in its key, so it is given where the step asks for it. */
export function hidesIndex({ index }: Pick<StepOrder, 'index'>): boolean {
  return index === false;
}

/** The item of one task; null without `foreach`. */
export function itemOf(order: Pick<StepOrder, 'foreach' | 'over' | 'placement'>, index: number): unknown {
  return itemAt(order, placeOf(order, index));
}

/** Among the order's items, the place of the one that a task is for: what it is given as its index. */
export function placeOf({ placement }: Pick<StepOrder, 'placement'>, index: number): number {
  return openPlaces(placement).placeOf(index) ?? index;
}

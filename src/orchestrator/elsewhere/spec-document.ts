// `runs/<run>/specs/<step>[/<scope>].json`: where the order of a step lies, for the system that is to run its tasks. Whoever makes the
// step ready first puts it there, and all others go by that one.

import { HeadraceError, stringifyJson } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { StepKey } from '../engine/batch.ts';
import { countItems } from '../placement.ts';
import { readOrder } from '../step/order.ts';
import { DOCUMENT_VERSION, readDocument, shown, unreadable } from './run-document.ts';

export interface SpecDocument {
  /** Of the step's order: `blob:<SHA-256>`. */
  readonly spec: string;
  /** How many tasks it has: 0 to `tasks - 1`. */
  readonly tasks: number;
}

const MOST_BYTES = 64 * 1024;

export function specKey(run: string, { step, scope }: StepKey): string {
  return `runs/${run}/specs/${step}${scope === '' ? '' : `/${scope}`}.json`;
}

/**
 * Gives what counts: this one, or that of whoever was first. Throws HR_CONFLICT where that one is an order of something else,
 * HR_ARTIFACT_UNREADABLE, HR_STORAGE_UNAVAILABLE.
 */
export async function storeSpec(
  objects: ObjectStore,
  run: string,
  place: StepKey,
  { spec, tasks }: SpecDocument,
): Promise<SpecDocument> {
  const key = specKey(run, place);
  const bytes = Buffer.from(stringifyJson({ version: DOCUMENT_VERSION, spec, tasks }));
  if (await objects.put(key, bytes, { ifAbsent: true })) return { spec, tasks };
  const found = await objects.get(key);
  if (found === undefined) return { spec, tasks };
  const first = readDocument(key, found, MOST_BYTES);
  if (first['spec'] === spec && first['tasks'] === tasks) return { spec, tasks };
  if (typeof first['spec'] !== 'string')
    throw unreadable(key, `its "spec" is blob:<SHA-256>, got ${shown(first['spec'])}`);
  const order = await readOrder(objects, first['spec']);
  const count = countItems(order);
  const isOfIt = order.run === run && order.step === place.step && order.scope === place.scope;
  if (isOfIt && count === tasks && first['tasks'] === tasks) return { spec: first['spec'], tasks };
  const where = (at: StepKey): string => (at.scope === '' ? at.step : `${at.step}[${at.scope}]`);
  const sentence = isOfIt
    ? `${key} names an order of ${count} tasks and says ${shown(first['tasks'])}, and by the results before it ${where(place)} has ${tasks}`
    : `${key} names an order of ${where(order)} of run ${order.run}, not of ${where(place)} of run ${run}`;
  throw new HeadraceError('HR_CONFLICT', `${sentence}; remove it, and the order is written anew`);
}

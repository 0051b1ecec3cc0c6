// What the containers of a slice read to learn which tasks are theirs, and a driver that takes over to learn what they run.

import { HeadraceError, messageOf, stringifyJson } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';

/** One JSON document in the artifact store for each slice, stored before its job is made. */
export interface SliceDocument {
  /** Of the step's order: `blob:<SHA-256>`. */
  readonly order: string;
  readonly tasks: readonly { readonly index: number; readonly attempt: number }[];
  /** How many of the tasks one part runs, the first of them part 0's. */
  readonly pack: number;
  /** Who waits for it: what another has taken over is no longer the first one's to cancel. */
  readonly driver: string;
  /** None of it is to begin any more: it was cancelled, or nobody waits for it. */
  readonly isWithdrawn: boolean;
}

export function sliceKey(run: string, slice: string): string {
  return `runs/${run}/slices/${slice}.json`;
}

export function partsOf({ tasks, pack }: Pick<SliceDocument, 'tasks' | 'pack'>): number {
  return Math.ceil(tasks.length / pack);
}

export function tasksOfPart(
  { tasks, pack }: Pick<SliceDocument, 'tasks' | 'pack'>,
  part: number,
): SliceDocument['tasks'] {
  return tasks.slice(part * pack, (part + 1) * pack);
}

/**
 * The tasks of one part, and their order. Throws HR_CONFLICT where none is to begin any more, HR_INVALID for a part that the slice
 * has not, HR_ARTIFACT_UNREADABLE, HR_STORAGE_UNAVAILABLE.
 */
export async function readSlicePart(
  objects: ObjectStore,
  key: string,
  part: number,
): Promise<Pick<SliceDocument, 'order' | 'tasks'>> {
  const document = await readSlice(objects, key);
  if (document === undefined) {
    const sentence = `the artifact store has no slice ${key}; give the one that the driver of the run stored it in, by HEADRACE_ARTIFACTS_URL`;
    throw new HeadraceError('HR_ARTIFACT_UNREADABLE', sentence);
  }
  if (document.isWithdrawn)
    throw new HeadraceError('HR_CONFLICT', `the slice ${key} was withdrawn: nobody waits for it`);
  const parts = partsOf(document);
  if (part >= parts) {
    const sentence = `the slice ${key} has ${parts === 1 ? 'one part, 0' : `${parts} parts, 0 to ${parts - 1}`}, and no ${part}; name one of them`;
    throw new HeadraceError('HR_INVALID', sentence);
  }
  return { order: document.order, tasks: tasksOfPart(document, part) };
}

/** Gives what counts from now on: this document, or the one that was there. Throws HR_STORAGE_UNAVAILABLE. */
export async function storeSlice(objects: ObjectStore, key: string, document: SliceDocument): Promise<SliceDocument> {
  const isFirst = await objects.put(key, bytesOf(document), { ifAbsent: true });
  return isFirst ? document : ((await readSlice(objects, key)) ?? document);
}

/** Whatever was there. Throws HR_STORAGE_UNAVAILABLE. */
export async function replaceSlice(objects: ObjectStore, key: string, document: SliceDocument): Promise<void> {
  await objects.put(key, bytesOf(document));
}

/** Undefined where there is none. Throws HR_ARTIFACT_UNREADABLE, HR_STORAGE_UNAVAILABLE. */
export async function readSlice(objects: ObjectStore, key: string): Promise<SliceDocument | undefined> {
  const bytes = await objects.get(key);
  if (bytes === undefined) return undefined;
  try {
    const { order, tasks, pack, driver, isWithdrawn } = JSON.parse(Buffer.from(bytes).toString()) as Stored; // put here alone
    return { order, tasks: tasks.map(([index, attempt]) => ({ index, attempt })), pack, driver, isWithdrawn };
  } catch (error) {
    const sentence = `${key} is not the JSON that a driver puts there: ${messageOf(error)}; remove it, and its tasks are tried again`;
    throw new HeadraceError('HR_ARTIFACT_UNREADABLE', sentence);
  }
}

type Stored = Omit<SliceDocument, 'tasks'> & { readonly tasks: readonly (readonly [index: number, attempt: number])[] };

function bytesOf({ order, tasks, pack, driver, isWithdrawn }: SliceDocument): Buffer {
  const pairs = tasks.map(({ index, attempt }) => [index, attempt]);
  return Buffer.from(stringifyJson({ order, tasks: pairs, pack, driver, isWithdrawn }));
}

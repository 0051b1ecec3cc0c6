// A task's result as the artifact store has it: whoever puts it first has committed the task, whoever comes later takes it.

import { HeadraceError, messageOf, parseJson, stringifyJson } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { TaskOutput } from '../engine/batch.ts';
import type { StoredFiles } from '../step/files.ts';
import type { TaskFailure } from '../step/outcome.ts';
import { type CommittedTask, failureKey, lossKey, resultKey } from './result-key.ts';

export interface StoredResult {
  /** The attempt that made it. */
  readonly attempt: number;
  readonly output: TaskOutput;
  readonly files: StoredFiles;
}

/** Undefined while no attempt has succeeded. Throws HR_ARTIFACT_UNREADABLE, HR_STORAGE_UNAVAILABLE. */
export async function readResult(objects: ObjectStore, task: CommittedTask): Promise<StoredResult | undefined> {
  const key = resultKey(task);
  const bytes = await objects.get(key);
  if (bytes === undefined) return undefined;
  try {
    return parseJson(Buffer.from(bytes).toString()) as unknown as StoredResult; // put by `commitResult` alone
  } catch (error) {
    const sentence = `${key} is not the JSON that a step puts there: ${messageOf(error)}; remove it, and the task runs again`;
    throw new HeadraceError('HR_ARTIFACT_UNREADABLE', sentence);
  }
}

/** Gives what counts from now on: this result, or that of whoever was first. Throws HR_STORAGE_UNAVAILABLE. */
export async function commitResult(
  objects: ObjectStore,
  task: CommittedTask,
  result: StoredResult,
): Promise<StoredResult & { readonly wasThere: boolean }> {
  const isFirst = await objects.put(resultKey(task), Buffer.from(stringifyJson(result)), { ifAbsent: true });
  if (isFirst) return { ...result, wasThere: false };
  return { ...((await readResult(objects, task)) ?? result), wasThere: true };
}

export async function storeFailure(
  objects: ObjectStore,
  task: CommittedTask,
  attempt: number,
  { cause, reason, isFinal }: TaskFailure,
): Promise<void> {
  const text = stringifyJson({ attempt, cause, reason, final: isFinal });
  await objects.put(failureKey(task, attempt), Buffer.from(text));
}

export async function storeLoss(
  objects: ObjectStore,
  task: CommittedTask,
  attempt: number,
  reason: string,
): Promise<void> {
  await objects.put(lossKey(task, attempt), Buffer.from(stringifyJson({ attempt, reason })));
}

/** How an attempt ended that left no result; undefined where nothing was stored of it. Throws HR_STORAGE_UNAVAILABLE. */
export async function readFailure(
  objects: ObjectStore,
  task: CommittedTask,
  attempt: number,
): Promise<TaskFailure | { readonly kind: 'lost'; readonly reason: string } | undefined> {
  const [failed, lost] = await Promise.all([
    objects.get(failureKey(task, attempt)),
    objects.get(lossKey(task, attempt)),
  ]);
  if (failed !== undefined) {
    const { cause, reason, final } = JSON.parse(Buffer.from(failed).toString()) as StoredFailure; // put above alone
    return { kind: 'failed', cause, reason, isFinal: final };
  }
  if (lost === undefined) return undefined;
  return { kind: 'lost', reason: (JSON.parse(Buffer.from(lost).toString()) as { readonly reason: string }).reason }; // put above alone
}

type StoredFailure = Pick<TaskFailure, 'cause' | 'reason'> & { readonly final: boolean };

// What the artifact store has of a step's tasks: results, and attempts that failed or were lost; listed by key, then read and judged.

import { messageOf, type Micros, parseJson } from '../../core/index.ts';
import { hasBlob, type ObjectStore } from '../../storage/index.ts';
import type { StoredResult } from '../committed/stored-result.ts';
import type { StepKey, TaskOutput } from '../engine/batch.ts';
import { storeOutput } from '../step/result.ts';
import { shown, unreadable } from './run-document.ts';

/** Something that lies there, and since when by the store's clock. */
interface Found {
  readonly key: string;
  readonly size: number;
  readonly at: Micros;
}

export interface TaskRecords {
  result?: Found;
  /** Attempts that did not succeed, the first one first. */
  readonly attempts: (Found & { readonly attempt: number; readonly kind: 'failed' | 'lost' })[];
  /** When the last of it was put there. */
  newest: Micros;
}

export type AttemptEnd =
  | { readonly kind: 'failed'; readonly reason: string; readonly isFinal: boolean }
  | { readonly kind: 'lost'; readonly reason: string };

const MOST_ATTEMPT = 2 ** 31 - 1;
/** Of a result's document: the result itself is in it only while it is short, and its files are named. */
const MOST_RESULT_BYTES = 64 * 2 ** 20;
const MOST_FAILURE_BYTES = 16 * 2 ** 20;
const NAME = /^(0|[1-9]\d*)\/(?:(result)|(failure|lost)-([1-9]\d*))\.json$/;

/** By index. Throws HR_STORAGE_UNAVAILABLE. */
export async function listRecords(objects: ObjectStore, run: string, at: StepKey): Promise<Map<number, TaskRecords>> {
  const prefix = `runs/${run}/${at.step}/${at.scope === '' ? '' : `${at.scope}/`}`;
  const records = new Map<number, TaskRecords>();
  for await (const { key, size, modifiedMicros } of objects.list(prefix)) {
    const [, index, result, kind, attempt] = NAME.exec(key.slice(prefix.length)) ?? [];
    if (index === undefined || Number(index) > MOST_ATTEMPT) continue;
    const one = records.get(Number(index)) ?? { attempts: [], newest: 0 };
    records.set(Number(index), one);
    const found = { key, size, at: modifiedMicros };
    if (result !== undefined) one.result = found;
    else if (Number(attempt) <= MOST_ATTEMPT)
      one.attempts.push({ ...found, attempt: Number(attempt), kind: kind === 'lost' ? 'lost' : 'failed' });
    one.newest = Math.max(one.newest, modifiedMicros);
  }
  for (const { attempts } of records.values())
    attempts.sort((a, b) => a.attempt - b.attempt || (a.kind === b.kind ? 0 : a.kind === 'lost' ? -1 : 1));
  return records;
}

/**
 * The result of a task, with an output that is fit for a row. Undefined where it was removed meanwhile. Throws HR_ARTIFACT_UNREADABLE
 * for what is no result, and one whose output is gone; HR_STORAGE_UNAVAILABLE.
 */
export async function readTaskResult(
  objects: ObjectStore,
  { key, size }: Pick<Found, 'key' | 'size'>,
): Promise<StoredResult | undefined> {
  const value = await readObject(objects, key, size, MOST_RESULT_BYTES);
  if (value === undefined) return undefined;
  const { attempt, output, files = {} } = value;
  if (!isAttempt(attempt))
    throw unreadable(key, `its "attempt" is a whole number from 1 to ${MOST_ATTEMPT}, got ${shown(attempt)}`);
  if (files === null || typeof files !== 'object' || Array.isArray(files))
    throw unreadable(key, `its "files" are an object, got ${shown(files)}`);
  // Named by the step, and no row has them but in its output.
  return { attempt, output: await readOutput(objects, key, output), files: files as StoredResult['files'] };
}

async function readOutput(objects: ObjectStore, key: string, output: unknown): Promise<TaskOutput> {
  const { json, blob } = isObject(output) ? output : {};
  if (typeof json === 'string' && blob === undefined) {
    try {
      parseJson(json);
    } catch (error) {
      throw unreadable(key, `the result in its "output" is no JSON: ${messageOf(error)}`);
    }
    return await storeOutput(objects, json);
  }
  if (typeof blob === 'string' && json === undefined && /^[0-9a-f]{64}$/.test(blob)) {
    if (await hasBlob(objects, blob)) return { blob };
    throw unreadable(key, `its output is artifact ${blob}, which is not in the store; bring it there`);
  }
  throw unreadable(key, `its "output" is { "json": text } or { "blob": SHA-256 in hex }, got ${shown(output)}`);
}

/** How an attempt ended that did not succeed. Undefined where it was removed meanwhile. Throws as `readTaskResult`. */
export async function readAttemptEnd(
  objects: ObjectStore,
  { key, size, attempt, kind }: TaskRecords['attempts'][number],
): Promise<AttemptEnd | undefined> {
  const value = await readObject(objects, key, size, MOST_FAILURE_BYTES);
  if (value === undefined) return undefined;
  const { attempt: told = attempt, reason, final: isFinal = false } = value;
  if (told !== attempt) throw unreadable(key, `it is of attempt ${attempt} by its name, and says ${shown(told)}`);
  if (typeof reason !== 'string') throw unreadable(key, `its "reason" is a sentence, got ${shown(reason)}`);
  if (typeof isFinal !== 'boolean') throw unreadable(key, `its "final" is true or false, got ${shown(isFinal)}`);
  return kind === 'lost' ? { kind, reason } : { kind, reason, isFinal };
}

async function readObject(
  objects: ObjectStore,
  key: string,
  size: number,
  most: number,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (size > most) throw unreadable(key, `it has ${size} bytes, more than the ${most} that one may have`);
  const bytes = await objects.get(key);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = parseJson(Buffer.from(bytes).toString());
  } catch (error) {
    throw unreadable(key, `it is no JSON: ${messageOf(error)}`);
  }
  if (isObject(value)) return value;
  throw unreadable(key, `it is an object, got ${shown(value)}`);
}

function isAttempt(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MOST_ATTEMPT;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

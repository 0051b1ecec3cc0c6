// `runs/<run>/run.json`: what a run that another system drives goes by. Whoever prepares the run puts it there once; its rows can be
// made of it at any time, in any registry over the same store.

import {
  formatTimestamp,
  HeadraceError,
  type Json,
  messageOf,
  type Micros,
  parseJson,
  parseTimestamp,
  stringifyJson,
} from '../../core/index.ts';
import { checkPipeline, type PipelineSpec } from '../../definitions/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { resolveParams } from '../run-params.ts';

export interface RunDocument {
  readonly run: string;
  readonly pipeline: PipelineSpec;
  readonly params: Readonly<Record<string, unknown>>;
  /** The hash of the definitions that the pipeline is of. */
  readonly definitions: string;
  /** The SHA-256 of each blob that its steps' code is in. */
  readonly code: readonly string[];
  readonly keepGoing: boolean;
  /** Who prepared it. */
  readonly by: string;
  readonly createdAt: Micros;
}

/** Of documents under `runs/`; a newer one is not read. */
export const DOCUMENT_VERSION = 1;

/** A pipeline with its code's names and items; what is larger belongs in the artifact store. */
const MOST_BYTES = 64 * 2 ** 20;
const MOST_BY = 200;

/** Becomes a part of keys. */
const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function runKey(run: string): string {
  return `runs/${run}/run.json`;
}

/** Throws HR_INVALID for what is no id of a run. */
export function checkRunId(id: string): void {
  if (RUN_ID.test(id)) return;
  const sentence = `a run's id is 1 to 128 letters (a to z, A to Z), digits, dots, underscores and hyphens, the first a letter or digit, got ${stringifyJson(id.slice(0, 140))}`;
  throw new HeadraceError('HR_INVALID', sentence);
}

/** Puts it where there is none; gives whether there was none. Throws HR_STORAGE_UNAVAILABLE. */
export async function storeRunDocument(objects: ObjectStore, document: RunDocument): Promise<boolean> {
  const { run, pipeline, params, definitions, code, keepGoing, by, createdAt } = document;
  const stored = {
    version: DOCUMENT_VERSION,
    run,
    pipeline,
    params,
    definitions,
    code,
    keep_going: keepGoing,
    by,
    created_at: formatTimestamp(createdAt),
  };
  return await objects.put(runKey(run), Buffer.from(stringifyJson(stored)), { ifAbsent: true });
}

/** Undefined where there is none. Throws HR_ARTIFACT_UNREADABLE for what is no such document, HR_STORAGE_UNAVAILABLE. */
export async function readRunDocument(objects: ObjectStore, run: string): Promise<RunDocument | undefined> {
  const key = runKey(run);
  const bytes = await objects.get(key);
  if (bytes === undefined) return undefined;
  const {
    pipeline,
    params,
    definitions,
    code,
    keep_going: keepGoing,
    by,
    created_at: at,
    ...rest
  } = readDocument(key, bytes, MOST_BYTES);
  const refuse = (what: string): HeadraceError => unreadable(key, what);
  if (rest['run'] !== run) throw refuse(`its run is ${shown(rest['run'])}, and it lies under ${run}`);
  if (typeof definitions !== 'string' || definitions === '' || definitions.length > 200)
    throw refuse(`"definitions" is the hash of the definitions, got ${shown(definitions)}`);
  if (!Array.isArray(code) || !code.every((hash) => typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash)))
    throw refuse(`"code" is a list of SHA-256 in hex, got ${shown(code)}`);
  if (typeof keepGoing !== 'boolean') throw refuse(`"keep_going" is true or false, got ${shown(keepGoing)}`);
  if (typeof by !== 'string' || by === '' || by.length > MOST_BY)
    throw refuse(`"by" is 1 to ${MOST_BY} characters that say who prepared it, got ${shown(by)}`);
  const createdAt = typeof at === 'string' ? parseTimestamp(at) : undefined;
  if (createdAt === undefined) throw refuse(`"created_at" is a time such as 2026-11-25T03:15:00Z, got ${shown(at)}`);
  if (params === null || typeof params !== 'object' || Array.isArray(params))
    throw refuse(`"params" is an object, got ${shown(params)}`);
  try {
    const checked = checkPipeline(pipeline);
    const resolved = resolveParams(checked, params as Readonly<Record<string, unknown>>); // an object, as looked at above
    return { run, pipeline: checked, params: resolved, definitions, code: code as string[], keepGoing, by, createdAt };
  } catch (error) {
    throw refuse(messageOf(error));
  }
}

/** A document of this version as an object. Throws HR_ARTIFACT_UNREADABLE. */
export function readDocument(key: string, bytes: Uint8Array, most: number): Readonly<Record<string, Json | undefined>> {
  if (bytes.length > most)
    throw unreadable(key, `it has ${bytes.length} bytes, more than the ${most} that one may have`);
  let value: Json;
  try {
    value = parseJson(Buffer.from(bytes).toString());
  } catch (error) {
    throw unreadable(key, `it is no JSON: ${messageOf(error)}`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw unreadable(key, `it is an object, got ${shown(value)}`);
  const document = value as Readonly<Record<string, Json | undefined>>; // an object, as just looked at
  const { version } = document;
  if (version === DOCUMENT_VERSION) return document;
  if (typeof version === 'number' && version > DOCUMENT_VERSION) {
    const sentence = `it was written by a newer Headrace (version ${version}, and this one reads ${DOCUMENT_VERSION}); use that one`;
    throw unreadable(key, sentence);
  }
  throw unreadable(key, `its "version" is ${DOCUMENT_VERSION}, got ${shown(version)}`);
}

export function unreadable(key: string, what: string): HeadraceError {
  return new HeadraceError('HR_ARTIFACT_UNREADABLE', `${key} can't be read: ${what.replace(/\.$/, '')}`);
}

export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = stringifyJson(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

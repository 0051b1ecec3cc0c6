// `runs/<run>/end.json`: the system that drives a run says that it is over, so that what has no result by then never will.

import { formatTimestamp, type Micros, parseTimestamp, stringifyJson } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { DOCUMENT_VERSION, readDocument, shown, unreadable } from './run-document.ts';

export interface EndDocument {
  readonly state: 'succeeded' | 'failed' | 'cancelled';
  /** A sentence; null where nothing is said. */
  readonly reason: string | null;
  readonly at: Micros;
}

const STATES: readonly string[] = ['succeeded', 'failed', 'cancelled'] satisfies EndDocument['state'][];
const MOST_BYTES = 64 * 1024;
const MOST_REASON = 10_000;

export function endKey(run: string): string {
  return `runs/${run}/end.json`;
}

/** The last that is said counts: a system may go on with a run that had ended. Throws HR_STORAGE_UNAVAILABLE. */
export async function storeEnd(objects: ObjectStore, run: string, { state, reason, at }: EndDocument): Promise<void> {
  const stored = { version: DOCUMENT_VERSION, state, reason, at: formatTimestamp(at) };
  await objects.put(endKey(run), Buffer.from(stringifyJson(stored)));
}

/** Undefined while it goes on. Throws HR_ARTIFACT_UNREADABLE, HR_STORAGE_UNAVAILABLE. */
export async function readEnd(objects: ObjectStore, run: string): Promise<EndDocument | undefined> {
  const key = endKey(run);
  const bytes = await objects.get(key);
  if (bytes === undefined) return undefined;
  const { state, reason = null, at: text } = readDocument(key, bytes, MOST_BYTES);
  if (typeof state !== 'string' || !STATES.includes(state))
    throw unreadable(key, `its "state" is ${STATES.join(', ')}, got ${shown(state)}`);
  if (reason !== null && (typeof reason !== 'string' || reason.length > MOST_REASON))
    throw unreadable(key, `its "reason" is a sentence of at most ${MOST_REASON} characters, got ${shown(reason)}`);
  const at = typeof text === 'string' ? parseTimestamp(text) : undefined;
  if (at === undefined) throw unreadable(key, `its "at" is a time such as 2026-11-25T03:15:00Z, got ${shown(text)}`);
  return { state: state as EndDocument['state'], reason, at }; // one of the states, as looked at above
}

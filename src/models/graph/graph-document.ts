// The artifact of a graph's version: which version of each model it runs, and what its functions' code is.

import { canonicalJson, HeadraceError } from '../../core/index.ts';

export interface GraphDocument {
  readonly format: 1;
  readonly kind: 'graph';
  /** By name of a model node. */
  readonly nodes: Readonly<Record<string, PinnedModel>>;
  /** Hash of the code by id of the function. */
  readonly functions: Readonly<Record<string, string>>;
}

export interface PinnedModel {
  readonly model: string;
  readonly version: number;
  /** SHA-256 of the file. */
  readonly artifact: string;
}

/** The same bytes for the same pins. */
export function writeGraphDocument(document: GraphDocument): Uint8Array {
  return Buffer.from(canonicalJson(document));
}

/** Throws HR_MODEL_UNREADABLE for bytes that are no such document. */
export function readGraphDocument(bytes: Uint8Array): GraphDocument {
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw unreadable('it is no JSON', cause);
  }
  if (!isRecord(read) || read['kind'] !== 'graph') throw unreadable('it says nothing of a graph');
  if (read['format'] !== 1)
    throw unreadable(`its format is ${String(read['format'])}, and this version reads format 1`);
  const { nodes, functions } = read;
  if (!isRecord(nodes) || !Object.values(nodes).every(isPinned)) throw unreadable('its nodes name no versions');
  if (!isRecord(functions) || !Object.values(functions).every((hash) => typeof hash === 'string'))
    throw unreadable('its functions have no hashes');
  // Checked above, member by member.
  return read as unknown as GraphDocument;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPinned(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { model, version, artifact } = value;
  return typeof model === 'string' && Number.isInteger(version) && /^[0-9a-f]{64}$/.test(String(artifact));
}

function unreadable(why: string, cause?: unknown): HeadraceError {
  const options = cause === undefined ? {} : { cause };
  return new HeadraceError(
    'HR_MODEL_UNREADABLE',
    `the artifact is no graph: ${why}. Register the graph again.`,
    options,
  );
}

// What an evaluation is of, found among the results that its step needs: rows in a Parquet file, and models.

import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { HeadraceError } from '../../core/index.ts';
import type { BuiltInTaskContext } from '../../orchestrator/index.ts';
import { registeredVersions } from './registered-versions.ts';

/** A Parquet file. */
export interface RowsInput {
  readonly path: string;
  /** In the artifact store; `path` names it no more than for people. */
  readonly sha256?: string;
  /** SHA-256 of the file, where the need tells it. */
  readonly content?: string;
  /** Of a training set: its id, and its labels. */
  readonly id?: string;
  readonly labels: readonly string[];
}

type Needs = BuiltInTaskContext['needs'];

/**
 * The only need that gives rows: a training set, a `{ path }` or text that ends in `.parquet`, or a result with one such
 * file. Throws HR_STEP_FAILED for none and several.
 */
export function rowsOf(needs: Needs): RowsInput {
  const found = Object.entries(needs).flatMap(([name, need]) => {
    const rows = rowsOfNeed(need);
    return rows === undefined ? [] : [{ name, rows }];
  });
  const [only, second] = found;
  if (only !== undefined && second === undefined) return only.rows;
  const came =
    only === undefined
      ? `its needs (${Object.keys(needs).join(', ') || 'none'}) have none`
      : `its needs have several: ${found.map(({ name }) => name).join(', ')}`;
  const sentence = `evaluate needs one step that gives rows: a trainingSet(…), or a result { path: "….parquet" } or with a .parquet file; ${came}`;
  throw new HeadraceError('HR_STEP_FAILED', sentence);
}

function rowsOfNeed(need: unknown): RowsInput | undefined {
  if (typeof need === 'string') return isParquet(need) ? { path: need, labels: [] } : undefined;
  if (need === null || typeof need !== 'object') return undefined;
  const { path, id, labels, files, sha256: stored, uri } = need as Readonly<Record<string, unknown>>; // looked at member by member
  if (typeof path === 'string' && isParquet(path)) {
    const texts = Array.isArray(labels) ? labels.filter((label) => typeof label === 'string') : [];
    // One that was made on another machine is taken from the artifact store.
    const isStored = typeof stored === 'string' && typeof uri === 'string';
    const elsewhere = isStored && isAbsolute(path) && !existsSync(path) ? { sha256: stored } : {};
    const content = typeof stored === 'string' ? { content: stored } : {};
    return { path, ...elsewhere, ...content, labels: texts, ...(typeof id === 'string' ? { id } : {}) };
  }
  const held = Object.entries(files ?? {}).filter(([name]) => isParquet(name));
  const [file] = held;
  if (file === undefined || held.length > 1) return undefined;
  const [name, { sha256 }] = file as [string, { readonly sha256: string }]; // as every result names its files
  return { path: name, sha256, content: sha256, labels: [] };
}

function isParquet(path: string): boolean {
  return path.toLowerCase().endsWith('.parquet');
}

/** A registered version, or an ONNX file in the artifact store. */
export type ModelInput = { readonly version: number } | { readonly artifact: string };

/**
 * The models among the needs: versions that were registered; where there are none, `.onnx` files. Throws HR_STEP_FAILED
 * without either.
 */
export async function modelsOf(needs: Needs, model: string): Promise<readonly ModelInput[]> {
  const versions = registeredVersions(needs, model);
  if (versions.length > 0) return versions.map((version) => ({ version }));
  const { modelCandidates } = await import('../../orchestrator/index.ts');
  return modelCandidates(needs, null, 'evaluate').map(({ artifact }) => ({ artifact }));
}

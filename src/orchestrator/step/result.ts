// What a task gave: its result.json read and judged, its files stored, and both made the output that a row names.

import { join } from 'node:path';
import { HeadraceError, type Json, messageOf, parseJson, stringifyJson } from '../../core/index.ts';
import { type ObjectStore, putBlob } from '../../storage/index.ts';
import type { TaskOutput } from '../engine/batch.ts';
import { attachFiles, forgetPaths, type StoredFiles } from './files.ts';
import { namesIn, readWhole } from './left-files.ts';
import { notJson } from './plain-data.ts';
import { MAX_RESULT_BYTES, tooLarge } from './result-size.ts';
import { storeFiles } from './stored-files.ts';

/** Longer outputs lie in the artifact store, not in the row. */
export const MAX_INLINE_BYTES = 4096;

/** Of a task that left `result.json` and files in its output folder. Throws HR_STEP_FAILED for what is no result. */
export async function collectOutput(
  objects: ObjectStore,
  directory: string,
): Promise<{ readonly output: TaskOutput; readonly files: StoredFiles }> {
  const names = namesIn(directory);
  if (names.length === 0) return { output: { json: 'null' }, files: {} };
  const result = names.includes('result.json') ? readResult(join(directory, 'result.json')) : null;
  const files = names.some((name) => name !== 'result.json') ? await storeFiles(objects, directory) : {};
  const output = await storeOutput(objects, stringifyJson(attachFiles(forgetPaths(result), files) ?? null));
  return { output, files };
}

/** An output as a row holds it: stored first where it is long. */
export async function storeOutput(objects: ObjectStore, json: string): Promise<TaskOutput> {
  // A code unit is at most three bytes.
  if (json.length * 3 <= MAX_INLINE_BYTES) return { json };
  const bytes = Buffer.from(json);
  return bytes.length <= MAX_INLINE_BYTES ? { json } : { blob: await putBlob(objects, bytes) };
}

function readResult(path: string): Json {
  const { bytes, size } = readWhole(path, MAX_RESULT_BYTES);
  const large = tooLarge(size);
  if (large !== undefined) throw new HeadraceError('HR_STEP_FAILED', large);
  const result = parseResult(bytes.toString());
  const fault = notJson(result, 'result');
  if (fault === undefined) return result;
  throw new HeadraceError('HR_STEP_FAILED', `the step's result.json must hold what can be read again, but ${fault}`);
}

function parseResult(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    const [number] = /(?<!["\w])-?(?:NaN|Infinity)\b/.exec(text) ?? [];
    const hint =
      number === undefined ? '' : `. It has ${number}, which JSON has not: write null or a number in its place`;
    throw new HeadraceError('HR_STEP_FAILED', `the step's result.json is not JSON: ${messageOf(error)}${hint}`);
  }
}

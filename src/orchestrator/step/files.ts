// Files that a step leaves beside its result: named in the result under `files`, found again there by the steps after it. A result that is passed on, picked from an array or nested keeps its files with it.

import { extname } from 'node:path';
import { HeadraceError } from '../../core/index.ts';

/** A step's file as its result names it; `path` is there only in the input of a running step. */
export interface StepFile {
  readonly sha256: string;
  /** Bytes. It and `uri` are left out in results of earlier versions. */
  readonly size?: number;
  /** `blob:<sha256>` of the artifact store. */
  readonly uri?: string;
  readonly path?: string;
}

/** A task's files by relative name. */
export type StoredFiles = Readonly<Record<string, StepFile>>;

/** The result with its files named in it. Throws HR_STEP_FAILED when there is no place to name them. */
export function attachFiles(result: unknown, files: StoredFiles): unknown {
  if (Object.keys(files).length === 0) return result;
  if (result === null || result === undefined) return { files };
  if (typeof result === 'object' && !Array.isArray(result) && !('files' in result)) return { ...result, files };
  const names = Object.keys(files).join(', ');
  throw new HeadraceError(
    'HR_STEP_FAILED',
    `the step left files (${names}), so its result.json must hold an object without a member "files"`,
  );
}

/** A copy of a result without the paths that files had while its step ran: they mean nothing to anyone else. */
export function forgetPaths(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(forgetPaths);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).map(([name, member]) => [
    name,
    name === 'files' && isFiles(member) ? withoutPaths(member) : forgetPaths(member),
  ]);
  return Object.fromEntries(members);
}

function withoutPaths(files: StoredFiles): Record<string, StepFile> {
  const kept = Object.entries(files).map(([name, file]) => {
    const { path: _path, ...rest } = file;
    return [name, rest];
  });
  return Object.fromEntries(kept);
}

/**
 * A copy of a value in which every file is there to be read, at the `path` that `place` gives it: those under `files`, and what is a
 * file itself, as a training set is. That one's path ends as it did: readers of tables go by it.
 */
export async function placeFiles(value: unknown, place: PlaceFile): Promise<unknown> {
  if (Array.isArray(value)) return await Promise.all(value.map((item) => placeFiles(item, place)));
  if (value === null || typeof value !== 'object') return value;
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    copy[name] = name === 'files' && isFiles(member) ? await placeEach(member, place) : await placeFiles(member, place);
  }
  const { sha256, uri, path } = copy;
  if (typeof sha256 === 'string' && uri === `blob:${sha256}` && typeof path === 'string')
    copy['path'] = await place(sha256, extname(path));
  return copy;
}

/** Gives where the blob is, under a name with that ending. */
export type PlaceFile = (sha256: string, extension?: string) => Promise<string>;

async function placeEach(files: StoredFiles, place: PlaceFile): Promise<Record<string, StepFile>> {
  const placed: Record<string, StepFile> = {};
  for (const [name, file] of Object.entries(files)) placed[name] = { ...file, path: await place(file.sha256) };
  return placed;
}

/** The files of a result that is an object with `files`; none otherwise. */
export function filesOf(value: unknown): StoredFiles {
  if (value === null || typeof value !== 'object' || !('files' in value)) return {};
  return isFiles(value.files) ? value.files : {};
}

function isFiles(value: unknown): value is StoredFiles {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  return Object.values(value).every(
    (file) =>
      file !== null && typeof file === 'object' && 'sha256' in file && /^[0-9a-f]{64}$/.test(String(file.sha256)),
  );
}

// Files that a step leaves beside its result: kept as blobs, named in the result under `files`, found again there by
// the steps after it. A result that is passed on, picked from an array or nested keeps its files with it.

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HeadraceError } from '../core/index.ts';
import { getBlob, type ObjectStore, putBlobFile } from '../storage/index.ts';

/** A step's file as its result names it; `path` is there only in the input of a running step. */
export interface StepFile {
  readonly sha256: string;
  readonly path?: string;
}

/** Stores every file of an output folder but result.json; gives them by relative name, sorted. */
export async function storeFiles(objects: ObjectStore, directory: string): Promise<Record<string, StepFile>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files: Record<string, StepFile> = {};
  for (const path of paths.sort()) {
    const name = path.slice(directory.length + 1).replaceAll('\\', '/');
    if (name !== 'result.json') files[name] = { sha256: await putBlobFile(objects, path) };
  }
  return files;
}

/** The result with its files named in it. Throws HR_STEP_FAILED when there is no place to name them. */
export function attachFiles(result: unknown, files: Readonly<Record<string, StepFile>>): unknown {
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

function withoutPaths(files: Readonly<Record<string, StepFile>>): Record<string, StepFile> {
  return Object.fromEntries(Object.entries(files).map(([name, { sha256 }]) => [name, { sha256 }]));
}

/** A copy of a value in which every file is there to be read, under `path`. */
export async function fetchFiles(value: unknown, objects: ObjectStore, directory: string): Promise<unknown> {
  if (Array.isArray(value)) return await Promise.all(value.map((item) => fetchFiles(item, objects, directory)));
  if (value === null || typeof value !== 'object') return value;
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    copy[name] =
      name === 'files' && isFiles(member)
        ? await fetchEach(member, objects, directory)
        : await fetchFiles(member, objects, directory);
  }
  return copy;
}

/** The files of a result that is an object with `files`; none otherwise. */
export function filesOf(value: unknown): Readonly<Record<string, StepFile>> {
  if (value === null || typeof value !== 'object' || !('files' in value)) return {};
  return isFiles(value.files) ? value.files : {};
}

async function fetchEach(
  files: Readonly<Record<string, StepFile>>,
  objects: ObjectStore,
  directory: string,
): Promise<Record<string, StepFile>> {
  const fetched: Record<string, StepFile> = {};
  for (const [name, { sha256 }] of Object.entries(files)) {
    await mkdir(directory, { recursive: true });
    const path = join(directory, sha256);
    await writeFile(path, await getBlob(objects, sha256));
    fetched[name] = { sha256, path };
  }
  return fetched;
}

function isFiles(value: unknown): value is Readonly<Record<string, StepFile>> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  return Object.values(value).every(
    (file) =>
      file !== null && typeof file === 'object' && 'sha256' in file && /^[0-9a-f]{64}$/.test(String(file.sha256)),
  );
}

// A step's files as blobs, stored once it has ended.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ObjectStore, putBlobFile } from '../../storage/index.ts';
import type { StepFile } from './files.ts';

/** Stores every file of an output folder but result.json; gives them by relative name, sorted. */
export async function storeFiles(objects: ObjectStore, directory: string): Promise<Record<string, StepFile>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files: Record<string, StepFile> = {};
  for (const path of paths.sort()) {
    const name = path.slice(directory.length + 1).replaceAll('\\', '/');
    if (name === 'result.json') continue;
    const { size } = await stat(path);
    const sha256 = await putBlobFile(objects, path);
    files[name] = { sha256, size, uri: `blob:${sha256}` };
  }
  return files;
}

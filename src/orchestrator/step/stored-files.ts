// A step's files as blobs, stored once it has ended.

import { type ObjectStore, putBlobFile } from '../../storage/index.ts';
import type { StepFile } from './files.ts';
import { filesIn } from './left-files.ts';

/** Stores every file of an output folder but result.json; gives them by relative name, sorted. Throws HR_STEP_FAILED for what is no file, and is looked at before any is stored. */
export async function storeFiles(objects: ObjectStore, directory: string): Promise<Record<string, StepFile>> {
  const files: Record<string, StepFile> = {};
  for (const { name, path, size } of filesIn(directory)) {
    if (name === 'result.json') continue;
    const sha256 = await putBlobFile(objects, path);
    files[name] = { sha256, size, uri: `blob:${sha256}` };
  }
  return files;
}

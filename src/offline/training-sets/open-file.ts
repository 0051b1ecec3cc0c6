// The file of a training set, open, once it is known to be what its record says: a file that a command wrote lies where its user
// may have written another one since.

import { type FileHandle, open } from 'node:fs/promises';
import { HeadraceError } from '../../core/index.ts';
import { createJobFolders } from '../jobs/job-folder.ts';
import { fileHash } from '../sources/file-identity.ts';
import type { TrainingSetRecord } from './record.ts';

export interface OpenTrainingSetFile {
  /** To be closed by whoever asked. */
  readonly file: FileHandle;
  readonly path: string;
  readonly sizeBytes: number;
}

/** Files that were checked, by what they would not be if they were written again. */
const checked = new Set<string>();
const MOST_CHECKED = 1000;

/** `dataDirectory` is offline.path. Throws HR_ARTIFACT_UNREADABLE. */
export async function openTrainingSetFile(
  record: TrainingSetRecord,
  dataDirectory: string,
): Promise<OpenTrainingSetFile> {
  // Another command may have made the same set since, and left it elsewhere.
  const own = createJobFolders(dataDirectory).placeOf(record.id);
  for (const path of new Set([own, record.path])) {
    const file = await open(path).catch(() => undefined);
    if (file === undefined) continue;
    if (await isOf(record, file, path)) return { file, path, sizeBytes: record.sizeBytes };
    await file.close();
  }
  const sentence = `the file of training set ${record.id} is not there any more, or is another one. Make it again.`;
  throw new HeadraceError('HR_ARTIFACT_UNREADABLE', sentence);
}

async function isOf(record: TrainingSetRecord, file: FileHandle, path: string): Promise<boolean> {
  const { size, ino, mtimeMs, ctimeMs, dev } = await file.stat();
  if (size !== record.sizeBytes) return false;
  const key = [record.contentHash, dev, ino, size, mtimeMs, ctimeMs].join(' ');
  if (checked.has(key)) return true;
  if ((await fileHash(path)) !== record.contentHash) return false;
  if (checked.size >= MOST_CHECKED) checked.clear();
  checked.add(key);
  return true;
}

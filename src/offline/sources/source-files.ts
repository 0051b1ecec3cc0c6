// The files behind a source's path: a glob relative to the repository, or absolute; sorted, so their order is fixed.

import { createHash } from 'node:crypto';
import { glob, open, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { HeadraceError } from '../../core/index.ts';
import type { SnapshotFile } from '../../online/index.ts';
import type { PinnedSnapshot } from '../facts/facts.ts';

/** A file as it was when it was read: the part of a training set's record that names its inputs. */
export interface SourceFile extends SnapshotFile {
  readonly sha256: string;
}

/** The files that a path or glob names, sorted by path. Throws HR_SOURCE_UNREADABLE when there is none. */
export async function findFiles(path: string, directory: string, owner: string): Promise<string[]> {
  if (path.startsWith('s3://')) {
    throw new HeadraceError(
      'HR_UNSUPPORTED',
      `${owner} reads ${path}: this build reads local files only. Copy them to a local folder.`,
    );
  }
  const full = isAbsolute(path) ? path : join(directory, path);
  if (await isFile(full)) return [full];
  const found: string[] = [];
  if (/[*?[{]/.test(path)) {
    for await (const match of glob(full)) if (await isFile(match)) found.push(match);
  }
  if (found.length === 0) {
    const start = isAbsolute(path) ? '' : `; it starts at ${directory}`;
    throw new HeadraceError('HR_SOURCE_UNREADABLE', `${owner}: no file matches ${full}. Check its path${start}.`);
  }
  return found.sort();
}

/** Pinned files with their checksums. */
export async function hashFiles({ files, paths }: PinnedSnapshot): Promise<SourceFile[]> {
  const hashed: SourceFile[] = [];
  for (const [i, file] of files.entries()) hashed.push({ ...file, sha256: await fileHash(paths[i] as string) });
  return hashed;
}

/** SHA-256 of a file's bytes, in hex. */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path);
  try {
    // One buffer for all: a stream's new one for every piece keeps the garbage collector busy.
    const bytes = Buffer.allocUnsafe(1 << 20);
    for (;;) {
      const { bytesRead } = await file.read(bytes);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(bytes.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

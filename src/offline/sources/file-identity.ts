// Which content a file of a source had: the part of a training set's record that names its inputs.

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { SnapshotFile } from '../../online/index.ts';
import type { PinnedSnapshot } from './pinned-snapshot.ts';

/** A file as it was when it was read. */
export interface SourceFile extends SnapshotFile {
  /** Left out where the etag says what the file holds: of an object of S3, and of rows that a query landed. */
  readonly sha256?: string;
}

/** The same for the same content. */
export function identityOf({ sha256, etag }: SourceFile): string {
  return sha256 ?? `etag:${etag}`;
}

/** Pinned files with their checksums. `hash`: left out, each file is read whole. */
export async function hashFiles(
  { files, paths, knownBy }: PinnedSnapshot,
  hash: (path: string) => Promise<string> = fileHash,
): Promise<readonly SourceFile[]> {
  if (knownBy === 'etag') return files;
  const hashed: SourceFile[] = [];
  for (const [i, file] of files.entries()) hashed.push({ ...file, sha256: await hash(paths[i] as string) });
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

// Files on their way into a backup and out of it: through a folder of their own, hashed as they pass, never whole in memory.

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ObjectStore } from '../../storage/index.ts';
import { type BackedUpFile, damaged } from './backup-manifest.ts';

export interface HashedFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** A folder that is gone once `work` has ended. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-backup-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function hashFile(path: string): Promise<HashedFile> {
  const hasher = createHash('sha256');
  for await (const chunk of createReadStream(path)) hasher.update(chunk as Uint8Array); // No encoding was set: bytes.
  return { bytes: (await stat(path)).size, sha256: hasher.digest('hex') };
}

/** Gives how many lines there were. */
export async function writeLines(path: string, lines: AsyncIterable<string>): Promise<number> {
  let count = 0;
  const counted = async function* (): AsyncIterable<string> {
    for await (const line of lines) {
      count++;
      yield `${line}\n`;
    }
  };
  await pipeline(counted(), createWriteStream(path));
  return count;
}

// By line feeds alone: readline also ends a line at separators that JSON text may hold as they are.
export async function* readLines(path: string): AsyncIterable<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, 'utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** Brings a file of the backup here. Throws HR_BACKUP_DAMAGED where it is not what the manifest says. */
export async function fetchChecked(from: ObjectStore, file: BackedUpFile, path: string): Promise<void> {
  if (!(await from.getFile(file.key, path))) throw damaged(`${file.key} is missing from the backup`);
  const { bytes, sha256 } = await hashFile(path);
  if (sha256 === file.sha256) return;
  throw damaged(
    `${file.key} of the backup is damaged: it has ${bytes} bytes with SHA-256 ${sha256}, the manifest says ${file.bytes} and ${file.sha256}`,
  );
}

// The SHA-256 of files that were read before, in one table for all of this machine: a file of many gigabytes is read once, however
// many steps go by its content. A file is known by its device, inode, size and times; its path may be another.

import { randomUUID } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, HeadraceError } from '../../core/index.ts';
import { fileHash } from './file-identity.ts';

export interface FileHashes {
  /** Of a file's bytes, in hex. Throws HR_SOURCE_CHANGED where it changes while it is read, and what the file system says. */
  hashOf(path: string): Promise<string>;
  /**
   * Adds what was read since to the table, in one write however many files that were. Where it can't be written, those files are
   * read again next time.
   */
  save(): Promise<void>;
}

/** In JSON. */
interface Kept {
  readonly format: 1;
  readonly files: Readonly<Record<string, string>>;
}

/** Files that are no more are kept so long; a source has at most 65,536. */
const MOST_FILES = 200_000;
/** A file that was written so shortly ago may be written again in the same tick of the file system's clock. */
const SETTLED_NS = 2_000_000_000n;

/** `dataDirectory` keeps the table. `hash` reads a file whole. */
export function openFileHashes(
  dataDirectory: string,
  clock: Pick<Clock, 'nowMicros'>,
  hash: (path: string) => Promise<string> = fileHash,
): FileHashes {
  const path = join(dataDirectory, 'file-hashes.json');
  let loaded: Promise<Map<string, string>> | undefined;
  let unsaved = new Map<string, string>();
  return {
    async hashOf(file) {
      loaded ??= load(path);
      const known = await loaded;
      const before = await stat(file, { bigint: true });
      const found = known.get(nameOf(before));
      if (found !== undefined) return found;
      // Looked at before the file is read: by the time that a large one was read, a write in that tick is long ago.
      const changed = before.mtimeNs > before.ctimeNs ? before.mtimeNs : before.ctimeNs;
      const isSettled = BigInt(Math.floor(clock.nowMicros())) * 1000n - changed >= SETTLED_NS;
      const sha256 = await hash(file);
      if (nameOf(await stat(file, { bigint: true })) !== nameOf(before)) {
        const sentence = `${file} was written while it was read. Run this again once it is whole.`;
        throw new HeadraceError('HR_SOURCE_CHANGED', sentence);
      }
      if (isSettled) {
        known.set(nameOf(before), sha256);
        unsaved.set(nameOf(before), sha256);
      }
      return sha256;
    },
    async save() {
      if (unsaved.size === 0) return;
      const added = unsaved;
      unsaved = new Map();
      // Another process may have added its own meanwhile.
      const all = await load(path);
      if (all.size + added.size > MOST_FILES) all.clear();
      for (const [name, sha256] of added) all.set(name, sha256);
      await write(path, all).catch(() => undefined);
    },
  };
}

// The time of the last change of the inode too: tools that copy set the time of the content back.
function nameOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}-${ino}-${size}-${mtimeNs}-${ctimeNs}`;
}

async function load(path: string): Promise<Map<string, string>> {
  try {
    const { format, files } = JSON.parse(await readFile(path, 'utf8')) as Kept;
    return new Map(format === 1 ? Object.entries(files) : []);
  } catch {
    // None yet, or one that was cut off.
    return new Map();
  }
}

async function write(path: string, all: ReadonlyMap<string, string>): Promise<void> {
  const kept: Kept = { format: 1, files: Object.fromEntries(all) };
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.unfinished-${randomUUID()}`;
  try {
    await writeFile(unfinished, JSON.stringify(kept));
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}

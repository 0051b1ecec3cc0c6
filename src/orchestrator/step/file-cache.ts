// Files of the artifact store on this machine, each fetched once and hard-linked to where steps read them.

import { randomUUID } from 'node:crypto';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, link, mkdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HeadraceError } from '../../core/index.ts';
import { blobKey, type ObjectStore } from '../../storage/index.ts';

export interface FileCache {
  /** Makes the blob a file at `path`; what is there already is kept. Throws HR_ARTIFACT_UNREADABLE. */
  link(sha256: string, path: string): Promise<void>;
  /** As `link`, but a file of its own, which may be written to. */
  copy(sha256: string, path: string): Promise<void>;
}

// A link is the same file: a step that writes to what it was given would change it for all that come after. Such a write
// moves this time, and what does not bear it is fetched anew.
const SEALED_SECONDS = 946_684_800;

export function openFileCache(objects: ObjectStore, directory: string): FileCache {
  const fetching = new Map<string, Promise<void>>();

  const fetch = async (sha256: string, path: string): Promise<void> => {
    const temporary = `${path}.${randomUUID()}`;
    try {
      await mkdir(dirname(path), { recursive: true });
      if (!(await objects.getFile(blobKey(sha256), temporary))) {
        throw new HeadraceError('HR_ARTIFACT_UNREADABLE', `artifact ${sha256} is not in the store; make it again`);
      }
      const found = await hashOf(temporary);
      if (found !== sha256) {
        const sentence = `artifact ${sha256} is damaged: its content hashes to ${found}`;
        throw new HeadraceError('HR_ARTIFACT_UNREADABLE', sentence);
      }
      await chmod(temporary, 0o444);
      await utimes(temporary, SEALED_SECONDS, SEALED_SECONDS);
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
  };

  /** The path of the blob in the cache, whole. */
  const cached = async (sha256: string): Promise<string> => {
    const path = join(directory, sha256.slice(0, 2), sha256);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs === SEALED_SECONDS * 1000) return path;
    let fetched = fetching.get(sha256);
    if (fetched === undefined) {
      fetched = fetch(sha256, path).finally(() => fetching.delete(sha256));
      fetching.set(sha256, fetched);
    }
    await fetched;
    return path;
  };

  const place = async (
    sha256: string,
    path: string,
    put: (from: string, to: string) => Promise<void>,
  ): Promise<void> => {
    const from = await cached(sha256);
    await mkdir(dirname(path), { recursive: true });
    try {
      await put(from, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // the file system's calls throw no others
    }
  };

  return {
    link: (sha256, path) =>
      place(sha256, path, async (from, to) => {
        try {
          await link(from, to);
        } catch (error) {
          // Another file system, or one without links.
          const code = (error as NodeJS.ErrnoException).code; // as above
          if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
          await copyFile(from, to);
        }
      }),
    copy: (sha256, path) =>
      place(sha256, path, async (from, to) => {
        await copyFile(from, to);
        await chmod(to, 0o644);
      }),
  };
}

async function hashOf(path: string): Promise<string> {
  const hasher = createHash('sha256');
  for await (const chunk of createReadStream(path)) hasher.update(chunk as Uint8Array); // no encoding was set: bytes
  return hasher.digest('hex');
}

// Objects as files under one folder. A write is a temporary file, fsync'd, then renamed (or linked, for `ifAbsent`):
// a reader or a crash sees the old object or the new one, never a part.

import { randomUUID } from 'node:crypto';
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { HeadraceError, syncPath } from '../../../core/index.ts';
import type { ObjectInfo, ObjectStore } from '../../object-store.ts';
import { checkKey } from '../object-key.ts';

// In the root, so that rename and link never cross a file system; no key may start with it.
export const PARTIAL = '.partial';

export function openFileObjectStore(root: string): ObjectStore {
  const pathOf = (key: string): string => join(root, checkKey(key));

  /** Publishes what `write` puts at a temporary path. */
  const publish = async (
    key: string,
    ifAbsent: boolean,
    write: (temporary: string) => Promise<void>,
  ): Promise<boolean> => {
    const path = pathOf(key);
    const temporary = join(root, PARTIAL, randomUUID());
    try {
      if (ifAbsent && (await exists(path))) return false;
      await mkdir(dirname(temporary), { recursive: true });
      await mkdir(dirname(path), { recursive: true });
      await write(temporary);
      await syncPath(temporary);
      const isPublished = await place(temporary, path, ifAbsent);
      await syncPath(dirname(path));
      return isPublished;
    } catch (error) {
      throw catalogued(error, key);
    } finally {
      await rm(temporary, { force: true });
    }
  };

  return {
    put: (key, body, options) =>
      publish(key, options?.ifAbsent === true, async (temporary) => {
        const file = await open(temporary, 'wx');
        try {
          await file.writeFile(body);
        } finally {
          await file.close();
        }
      }),
    putFile: (key, path, options) => publish(key, options?.ifAbsent === true, (temporary) => copyFile(path, temporary)),
    async get(key) {
      try {
        return await readFile(pathOf(key));
      } catch (error) {
        if (isAbsence(error)) return undefined;
        throw error;
      }
    },
    async getFile(key, path) {
      if (!(await exists(pathOf(key)))) return false;
      const temporary = `${path}.${randomUUID()}`;
      try {
        await copyFile(pathOf(key), temporary);
        await rename(temporary, path);
        return true;
      } catch (error) {
        await rm(temporary, { force: true });
        throw catalogued(error, key);
      }
    },
    list: (prefix) => list(root, prefix),
    async remove(key) {
      try {
        await rm(pathOf(key));
      } catch (error) {
        if (!isAbsence(error)) throw error;
      }
    },
  };
}

async function place(temporary: string, path: string, ifAbsent: boolean): Promise<boolean> {
  if (!ifAbsent) {
    await rename(temporary, path);
    return true;
  }
  try {
    // link fails when the name exists, where rename would replace it: of two racers exactly one wins.
    await link(temporary, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function* list(root: string, prefix: string): AsyncIterable<ObjectInfo> {
  // Only the folder that the prefix names in full need be walked.
  const folder = join(root, checkKey(`${prefix.slice(0, prefix.lastIndexOf('/') + 1)}x`), '..');
  for (const path of await walk(folder)) {
    const key = relative(root, path).split(sep).join('/');
    if (!key.startsWith(prefix) || key.startsWith(`${PARTIAL}/`)) continue;
    // Another may have removed it since the folder was read.
    const info = await stat(path, { bigint: true }).catch(() => undefined);
    if (info === undefined) continue;
    const etag = `${info.size.toString(36)}-${info.mtimeNs.toString(36)}`;
    yield { key, size: Number(info.size), etag, modifiedMicros: Number(info.mtimeNs / 1000n) };
  }
}

// In the order of keys, as S3 lists them.
async function walk(folder: string): Promise<string[]> {
  let entries: Awaited<ReturnType<typeof readEntries>>;
  try {
    entries = await readEntries(folder);
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function readEntries(folder: string) {
  return readdir(folder, { recursive: true, withFileTypes: true });
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errorCode(error));
}

function catalogued(error: unknown, key: string): unknown {
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HeadraceError('HR_STORAGE_FULL', `the disk is full: object "${key}" was not written`, { cause: error });
  }
  if (code === 'ENOTDIR' || code === 'EISDIR' || code === 'EEXIST') {
    return new HeadraceError('HR_INVALID', `object "${key}" cannot be written: part of its key is an object already`, {
      cause: error,
    });
  }
  return error;
}

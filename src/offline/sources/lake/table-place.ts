// Where a table of a lake lies, on disk or in S3: the names in one of its folders, and what its small files hold.

import { readdir, readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { HeadraceError, messageOf } from '../../../core/index.ts';
import { bucketsOf } from '../s3/buckets-of.ts';
import { findObjects, told } from '../s3/find-objects.ts';
import { fetchObjects } from '../s3/object-cache.ts';
import { isS3Path, parseS3Path } from '../s3/s3-path.ts';
import type { PlaceDeps } from '../source-deps.ts';

/** A path as users and tables write it, as one that DuckDB and this module read; without a slash at its end. */
export function placeOf(path: string, directory: string): string {
  const plain = path.replace(/^s3[an]:\/\//i, 's3://').replace(/(?<=[^/:])\/+$/, '');
  if (isS3Path(plain)) return plain;
  // What looks encoded in them is so on the disk, too.
  const local = plain.replace(/^file:(\/\/)?(?=\/)/i, '');
  return isAbsolute(local) ? local : join(directory, local);
}

/** Names of what lies straight in a folder; none where there is no such folder. Errors: what S3 or the disk says. */
export async function namesIn(folder: string, owner: string, deps: PlaceDeps): Promise<readonly string[]> {
  if (!isS3Path(folder)) {
    return readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
      throw unreadable(owner, folder, error);
    });
  }
  const { bucket, key } = parseS3Path(folder, owner);
  return told(owner, async () => {
    const names: string[] = [];
    for await (const object of bucketsOf(deps).list(bucket, `${key}/`)) {
      const name = object.key.slice(key.length + 1);
      if (name !== '' && !name.includes('/')) names.push(name);
    }
    return names;
  });
}

/** A small file's bytes. Throws HR_SOURCE_UNREADABLE, and what S3 says. */
export async function bytesOf(path: string, owner: string, deps: PlaceDeps): Promise<Buffer> {
  if (!isS3Path(path)) return read(path, path, owner);
  const [copy] = await fetchObjects(await findObjects(path, owner, deps), owner, deps);
  return read(copy as string, path, owner);
}

async function read(file: string, path: string, owner: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw unreadable(owner, path, error);
  }
}

function unreadable(owner: string, path: string, cause: unknown): HeadraceError {
  return new HeadraceError('HR_SOURCE_UNREADABLE', `${owner}: ${path} cannot be read: ${messageOf(cause)}.`, { cause });
}

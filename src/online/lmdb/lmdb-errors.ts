// LMDB's errors as the catalogue's: a full map or a full disk is HR_STORAGE_FULL, anything else is unavailable.

import { statfsSync } from 'node:fs';
import { HeadraceError } from '../../core/index.ts';

export function storageFull(path: string, limitBytes: number): HeadraceError {
  const limit = `${Math.round(limitBytes / 1024 ** 2)} MiB`;
  return new HeadraceError(
    'HR_STORAGE_FULL',
    `the online store at ${path} reached its limit of ${limit}; nothing of this write was kept. Raise the limit, or remove views`,
  );
}

export function toStoreError(error: unknown, path: string): unknown {
  if (error instanceof HeadraceError || !(error instanceof Error)) return error;
  if (error.message.includes('MDB_MAP_FULL') || isDiskFull(error, path)) {
    return new HeadraceError(
      'HR_STORAGE_FULL',
      `the disk that holds the online store at ${path} is full; nothing of this write was kept. Free space and run it again`,
      { cause: error },
    );
  }
  // Only LMDB's own errors carry a code; a mistake of ours must stay visible as what it is.
  if (!('code' in error)) return error;
  return new HeadraceError('HR_ONLINE_UNAVAILABLE', `the online store at ${path}: ${error.message}`, { cause: error });
}

// A write cut short by a full disk comes as a plain input/output error.
function isDiskFull(error: Error, path: string): boolean {
  const code = 'code' in error ? error.code : undefined;
  if (code === 28 || code === 'ENOSPC' || error.message.includes('No space left')) return true;
  if (code !== 5) return false;
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize < 16 * 1024 ** 2;
}

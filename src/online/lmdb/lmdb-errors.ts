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

/** A run that a later one has fenced, or whose row is no longer open. */
export function runIsBusy(version: string, run: number, holder: number | undefined): HeadraceError {
  const found = holder === undefined ? 'its row is no longer open' : `run ${holder} may write now`;
  return new HeadraceError(
    'HR_MATERIALIZE_BUSY',
    `run ${run} of "${version}" may not write to the online store any more: ${found}. Leave it to the later run, or start a new one`,
  );
}

export function diskFull(path: string, cause?: Error): HeadraceError {
  return new HeadraceError(
    'HR_STORAGE_FULL',
    `the disk that holds the online store at ${path} is full; nothing of this write was kept. Free space and run it again`,
    { cause },
  );
}

export function toStoreError(error: unknown, path: string): unknown {
  if (error instanceof HeadraceError || !(error instanceof Error)) return error;
  if (error.message.includes('MDB_MAP_FULL') || isDiskFull(error, path)) {
    return diskFull(path, error);
  }
  // Only LMDB's own errors and the system's carry a code; a mistake of ours must stay visible as what it is.
  if (!('code' in error)) return error;
  return new HeadraceError('HR_ONLINE_UNAVAILABLE', `the online store at ${path}: ${error.message}`, { cause: error });
}

/** What is behind the library's "Commit failed": it comes as a promise beside the error. */
export async function unwrapCommitError(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && 'commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

// A write cut short by a full disk comes as a plain input/output error.
function isDiskFull(error: Error, path: string): boolean {
  const code = 'code' in error ? error.code : undefined;
  if (code === 28 || code === 'ENOSPC' || error.message.includes('No space left')) return true;
  if (code !== 5) return false;
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize < 16 * 1024 ** 2;
}

// The folder of this machine's logs, as `pushLog.path` names it: what is wrong with it is the setting's, in words.

import { HeadraceError, messageOf } from '../../core/index.ts';

/** Throws HR_CONFIG where the folder is none or is refused, HR_STORAGE_FULL, HR_STORAGE_UNAVAILABLE. */
export async function inLogFolder<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw folderError(path, error);
  }
}

function folderError(path: string, error: unknown): HeadraceError {
  if (error instanceof HeadraceError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const of = (name: 'HR_CONFIG' | 'HR_STORAGE_FULL' | 'HR_STORAGE_UNAVAILABLE', sentence: string) =>
    new HeadraceError(name, `pushLog.path: ${sentence}`, { cause: error });
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    return of('HR_CONFIG', `${path} is a file, or lies under one; name a folder, or move the file away.`);
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return of('HR_CONFIG', `${path} cannot be written by this user; name a folder that can, or let it.`);
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return of('HR_STORAGE_FULL', `the disk of ${path} is full; free space.`);
  return of('HR_STORAGE_UNAVAILABLE', `${path} cannot be used: ${messageOf(error)}.`);
}

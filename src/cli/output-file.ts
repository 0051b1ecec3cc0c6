// A file that a user names to be written. What is wrong with its place is told in words, and before what it takes minutes to
// make is begun.

import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HeadraceError, messageOf } from '../core/index.ts';

/**
 * Throws HR_USAGE where `path`, absolute, is a folder, or lies where none is, under a file, or where this user may not write.
 * With `makesFolders` the folders that lack are made by whoever writes.
 */
export async function checkOutputFile(path: string, { makesFolders = false } = {}): Promise<void> {
  await told(path, async () => {
    const there = await foundAt(path);
    if (there === 'folder') throw refused(path, 'it is a folder. Name a file in it.');
    let place = there === 'file' ? path : dirname(path);
    while (makesFolders && (await foundAt(place)) === 'nothing') place = dirname(place);
    await access(place, constants.W_OK);
  });
}

/** Throws as above, HR_STORAGE_FULL, HR_STORAGE_UNAVAILABLE. */
export async function writeOutputFile(path: string, text: string): Promise<void> {
  await told(path, () => writeFile(path, text));
}

// Under a file nothing is found either, which `stat` throws as ENOTDIR.
async function foundAt(path: string): Promise<'file' | 'folder' | 'nothing'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'nothing';
    throw error;
  }
}

async function told(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    throw thrown instanceof HeadraceError ? thrown : asTold(path, thrown);
  }
}

function asTold(path: string, cause: unknown): HeadraceError {
  const folder = dirname(path);
  switch (codeOf(cause)) {
    case 'ENOENT':
      return refused(path, `there is no folder ${folder}. Make it, or name a file elsewhere.`, cause);
    case 'ENOTDIR':
      return refused(path, `${folder} is a file, or lies under one. Name a file in a folder.`, cause);
    case 'EISDIR':
      return refused(path, 'it is a folder. Name a file in it.', cause);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return refused(path, 'this user may not write there. Name a file elsewhere, or let it.', cause);
    case 'ENOSPC':
    case 'EDQUOT':
      return new HeadraceError(
        'HR_STORAGE_FULL',
        `the disk of ${path} is full. Free space, or name a file elsewhere.`,
        {
          cause,
        },
      );
    default:
      return new HeadraceError('HR_STORAGE_UNAVAILABLE', `${path} cannot be written: ${messageOf(cause)}.`, { cause });
  }
}

const refused = (path: string, sentence: string, cause?: unknown): HeadraceError =>
  new HeadraceError('HR_USAGE', `${path} cannot be written: ${sentence}`, { cause });

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

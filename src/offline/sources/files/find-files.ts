// The files behind a source's path: a glob relative to the repository, or absolute; sorted, so their order is fixed.

import { glob, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { HeadraceError } from '../../../core/index.ts';

/** The files that a path or glob names, sorted by path. Throws HR_SOURCE_UNREADABLE when there is none. */
export async function findFiles(path: string, directory: string, owner: string): Promise<string[]> {
  const full = isAbsolute(path) ? path : join(directory, path);
  if (await isFile(full)) return [full];
  const found: string[] = [];
  if (/[*?[{]/.test(path)) {
    for await (const match of glob(full)) if (await isFile(match)) found.push(match);
  }
  if (found.length === 0) {
    const start = isAbsolute(path) ? '' : `; it starts at ${directory}`;
    throw new HeadraceError('HR_SOURCE_UNREADABLE', `${owner}: no file matches ${full}. Check its path${start}.`);
  }
  return found.sort();
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

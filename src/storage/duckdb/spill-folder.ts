// A folder to spill to for one DuckDB alone: the names of DuckDB's temporary files tell no process apart, so two that
// share a folder read each other's rows. The lock beside it is a SQLite file's, which the operating system lets go with
// the process, however that ends; a pid would say nothing across containers.

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface SpillFolder {
  readonly path: string;
  /** Removes it; after DuckDB has closed. */
  remove(): Promise<void>;
}

const PREFIX = 'duckdb-';

/** Makes a new folder in `parent`, and removes those of processes that are no more, unless they are to be left. */
export async function makeSpillFolder(parent: string, leaveDead = false): Promise<SpillFolder> {
  await mkdir(parent, { recursive: true });
  const path = join(parent, `${PREFIX}${randomUUID()}`);
  // Locked before it is made, so that a folder without a held lock is a dead one.
  const held = tryLock(path);
  await mkdir(path);
  for (const other of leaveDead ? [] : await foldersIn(parent)) {
    if (other !== path) await removeIfDead(other);
  }
  return {
    path,
    async remove() {
      await removeFolder(path);
      held?.close();
      await removeFolder(lockOf(path));
    },
  };
}

const lockOf = (folder: string): string => `${folder}.lock`;

async function foldersIn(parent: string): Promise<string[]> {
  const entries = await readdir(parent, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && entry.name.startsWith(PREFIX))
    .map(({ name }) => join(parent, name));
}

/** Does nothing while its process lives. */
export async function removeIfDead(folder: string): Promise<void> {
  const held = tryLock(folder);
  if (held === undefined) return;
  await removeFolder(folder);
  held.close();
  await removeFolder(lockOf(folder));
}

/** Those of processes that are no more. */
export async function deadSpillFolders(parent: string): Promise<string[]> {
  const dead: string[] = [];
  for (const folder of await foldersIn(parent).catch(() => [])) {
    const held = tryLock(folder);
    if (held === undefined) continue;
    held.close();
    dead.push(folder);
  }
  return dead;
}

/** Undefined while another holds it, and on a disk that knows no locks: there nothing counts as dead. */
function tryLock(folder: string): DatabaseSync | undefined {
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(lockOf(folder), { timeout: 0 });
    file.exec('BEGIN EXCLUSIVE');
    return file;
  } catch {
    file?.close();
    return undefined;
  }
}

async function removeFolder(path: string): Promise<void> {
  // What cannot be removed now is dead to the next one too.
  await rm(path, { recursive: true, force: true, maxRetries: 2 }).catch(() => {});
}

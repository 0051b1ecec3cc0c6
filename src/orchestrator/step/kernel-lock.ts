// A lock between processes that the kernel frees with its holder, however that ends: SQLite's own on a file (fcntl). A pid in
// a file would say nothing to another container, and is another process's one day.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const SQLITE_BUSY = 5;
const LOOK_EVERY_MS = 50;

/** Does the work while no other process holds the lock at `path`; waits for as long as one does. The file stays. */
export async function withKernelLock<R>(path: string, work: () => Promise<R>): Promise<R> {
  mkdirSync(dirname(path), { recursive: true });
  const file = await taken(path);
  try {
    return await work();
  } finally {
    file.close();
  }
}

async function taken(path: string): Promise<DatabaseSync> {
  for (;;) {
    const file = new DatabaseSync(path, { timeout: 0 });
    try {
      file.exec('BEGIN EXCLUSIVE');
      return file;
    } catch (error) {
      file.close();
      const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
      if (code !== SQLITE_BUSY) throw error;
    }
    await delay(LOOK_EVERY_MS);
  }
}

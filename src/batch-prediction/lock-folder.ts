// One process at a time works on a batch: a lock that the kernel frees with its holder, however that ends (SQLite's on a file).
// Of a place in S3 it keeps out this machine's processes.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HeadraceError } from '../core/index.ts';
import type { OutFolder } from './out-folder.ts';

const SQLITE_BUSY = 5;

/** Gives what unlocks. Throws HR_CONFLICT while another process has it. */
export function lockFolder({ name, work }: Pick<OutFolder, 'name' | 'work'>): () => void {
  const file = new DatabaseSync(join(work, 'lock'), { timeout: 0 });
  try {
    file.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
    if (code !== SQLITE_BUSY) throw error;
    const sentence = `another process is predicting into ${name} now. Wait for its end, or name another place (--out).`;
    throw new HeadraceError('HR_CONFLICT', sentence);
  }
  return () => file.close();
}

// One process at a time works on a batch: a lock that the kernel frees with its holder, however that ends (SQLite's on a file).
// Of a place in S3 it keeps out this machine's processes.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HeadraceError } from '../core/index.ts';
import type { OutFolder } from './out-folder.ts';

const SQLITE_BUSY = 5;
const SQLITE_CANTOPEN = 14;

/** Gives what unlocks. Throws HR_CONFLICT while another process has it, and where one took the work away just now, as it ended. */
export function lockFolder({ name, work }: Pick<OutFolder, 'name' | 'work'>): () => void {
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(join(work, 'lock'), { timeout: 0 });
    file.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    file?.close();
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
    if (code === SQLITE_CANTOPEN && !existsSync(work))
      throw new HeadraceError('HR_CONFLICT', `another process has just ended its work in ${name}. Run it again.`);
    if (code !== SQLITE_BUSY) throw error;
    const sentence = `another process is predicting into ${name} now. Wait for its end, or name another place (--out).`;
    throw new HeadraceError('HR_CONFLICT', sentence);
  }
  const held = file;
  return () => held.close();
}

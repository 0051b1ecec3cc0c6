// Landed files that nobody needs any more: a day after their last use, unless a training set was made from them.

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MICROS_PER_DAY } from '../../../core/index.ts';
import type { SourceDeps } from '../source-deps.ts';
import { readTrainingSets } from '../../training-sets/training-set-store.ts';

/** A reader has its file open; elsewhere than on Linux one that was removed under it is told as changed. */
export async function tidyLanded(folder: string, { database, clock }: SourceDeps): Promise<void> {
  const oldest = (clock.nowMicros() - MICROS_PER_DAY) / 1000;
  const old: string[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.atimeMs < oldest) old.push(path);
  }
  if (old.length === 0) return;
  const sets = await readTrainingSets(database);
  const needed = new Set(sets.flatMap(({ sources }) => sources.flatMap(({ files }) => files.map(({ path }) => path))));
  for (const path of old) if (!needed.has(path)) await rm(path, { force: true });
}

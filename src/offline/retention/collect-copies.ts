// What a run keeps on this machine of what lies elsewhere: rows read from databases and queries, and copies of objects. Runs
// clear them away too, but only those of sources that are still read here.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Micros } from '../../core/index.ts';
import { collectFiles, type Collector, type Database } from '../../storage/index.ts';
import { readTrainingSets } from '../training-sets/training-set-store.ts';

export interface CopyCollectorDeps {
  readonly database: Database;
  /** `offline.path`. */
  readonly dataDirectory: string;
  readonly nowMicros: () => Micros;
  /** Since their last use. */
  readonly keepMicros: Micros;
}

/** Landed rows that a training set was made from stay as long as it: an audit reads them again. */
export function collectCopies({
  database,
  dataDirectory,
  nowMicros,
  keepMicros,
}: CopyCollectorDeps): readonly Collector[] {
  const landed = join(dataDirectory, 'landed');
  const own = { nowMicros, keepMicros, age: 'used' } as const;
  return [
    collectFiles({
      ...own,
      name: 'landed file',
      async folders() {
        const entries = await readdir(landed, { withFileTypes: true }).catch(() => []);
        return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(landed, name));
      },
      isOne: (name) => /^unfinished-|\.parquet$/.test(name),
      why: 'no run has read these rows for long, and no training set was made from them',
      async needed() {
        const sets = await readTrainingSets(database);
        return new Set(sets.flatMap(({ sources }) => sources.flatMap(({ files }) => files.map(({ path }) => path))));
      },
    }),
    collectFiles({
      ...own,
      name: 'copied object',
      folders: async () => [join(dataDirectory, 'objects')],
      isOne: () => true,
      why: 'a copy of an object that no run has read for long; it is copied again where it is needed',
    }),
  ];
}

// The folders of jobs: each job's files lie in one of its own until it ends, its spine, what it spills, and the set that is not
// whole yet; so that whoever finds a job dead removes all of it at once. Finished sets lie beside, under their ids.

import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpineKind } from './job.ts';

export interface JobFolders {
  /** Of one job; made. */
  make(id: string): Promise<string>;
  pathOf(id: string): string;
  /** Again it does nothing. */
  remove(id: string): Promise<void>;
  /** Ids of jobs of which there is a folder. */
  list(): Promise<readonly string[]>;
  /** Where a finished set lies: its id is a hash of what it holds, so two jobs of the same write the same file. A name would not do, as it may come to mean another set. */
  placeOf(trainingSet: string): string;
}

/** `dataDirectory` is offline.path. */
export function createJobFolders(dataDirectory: string): JobFolders {
  const parent = join(dataDirectory, 'training-set-jobs');
  const pathOf = (id: string): string => join(parent, id);
  return {
    async make(id) {
      await mkdir(pathOf(id), { recursive: true });
      return pathOf(id);
    },
    pathOf,
    async remove(id) {
      // A process that is being killed may write until its end.
      await rm(pathOf(id), { recursive: true, force: true, maxRetries: 5 });
    },
    async list() {
      try {
        return await readdir(parent);
      } catch {
        return [];
      }
    },
    placeOf: (trainingSet) => join(dataDirectory, 'training-sets', `${trainingSet}.parquet`),
  };
}

const NAMES = { parquet: 'spine.parquet', csv: 'spine.csv', arrow: 'spine.arrows' } as const;

/** Where a spine's bytes lie that came with the request, in the job's folder. */
export function sentSpine(folder: string, kind: Exclude<SpineKind['kind'], 'address'>): string {
  return join(folder, NAMES[kind]);
}

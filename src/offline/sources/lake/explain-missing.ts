// What a table lacks of its snapshot by now: its rows are in files that a cleaning of the table removes.

import { access } from 'node:fs/promises';
import { HeadraceError } from '../../../core/index.ts';
import { bucketsOf } from '../s3/buckets-of.ts';
import { isS3Path, parseS3Path } from '../s3/s3-path.ts';
import type { SourceDeps } from '../source-deps.ts';
import type { LakeTable } from './lake-table.ts';

const AT_ONCE = 32;

/**
 * Does work on a table's files. Where it fails and one of them is gone, the error is HR_SOURCE_CHANGED and names it: the
 * snapshot was expired, its files vacuumed, or the table dropped. HR_SOURCE_UNREADABLE of a snapshot that a record names.
 */
export async function explainMissing<T>(
  table: LakeTable,
  owner: string,
  deps: SourceDeps,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HeadraceError) || error.code !== 'HR_SOURCE_UNREADABLE') throw error;
    const paths = [...table.files, ...table.deleteFiles];
    for (let from = 0; from < paths.length; from += AT_ONCE) {
      const some = paths.slice(from, from + AT_ONCE);
      const there = await Promise.all(some.map((path) => isThere(path, owner, deps)));
      const gone = some.find((_, at) => !there[at]);
      if (gone !== undefined) throw missing(table, gone, owner, error);
    }
    throw error;
  }
}

function missing({ snapshot, isCurrent }: LakeTable, path: string, owner: string, cause: unknown): HeadraceError {
  const what = `${owner}: ${path}, a file of snapshot ${snapshot.id} of ${snapshot.table}, was removed`;
  return isCurrent
    ? new HeadraceError('HR_SOURCE_CHANGED', `${what}. Nothing of this run is kept; run it again.`, { cause })
    : new HeadraceError('HR_SOURCE_UNREADABLE', `${what}, so what was recorded can't be read again.`, { cause });
}

async function isThere(path: string, owner: string, deps: SourceDeps): Promise<boolean> {
  if (!isS3Path(path)) {
    return access(path).then(
      () => true,
      () => false,
    );
  }
  const { bucket, key } = parseS3Path(path, owner);
  return (await bucketsOf(deps).look(bucket, key)) !== undefined;
}

// The objects that an address in S3 names, as they are now.

import { matchesGlob } from 'node:path/posix';
import { HeadraceError } from '../../../core/index.ts';
import { type BucketObject, silenceOf } from '../../../storage/index.ts';
import type { PlaceDeps } from '../source-deps.ts';
import { bucketsOf } from './buckets-of.ts';
import { parseS3Path } from './s3-path.ts';

export interface FoundObject extends BucketObject {
  readonly bucket: string;
}

export const addressOf = ({ bucket, key }: FoundObject): string => `s3://${bucket}/${key}`;

/** Sorted by key. Throws HR_SOURCE_UNREADABLE when there is none, and what S3 says. */
export async function findObjects(path: string, owner: string, deps: PlaceDeps): Promise<FoundObject[]> {
  const { bucket, key, isPattern, prefix } = parseS3Path(path, owner);
  const buckets = bucketsOf(deps);
  const found: FoundObject[] = [];
  await told(owner, async () => {
    const one = await buckets.look(bucket, key);
    if (one !== undefined) found.push({ ...one, bucket });
    if (one !== undefined || !isPattern) return;
    for await (const object of buckets.list(bucket, prefix)) {
      // A "folder" that some tools make is an empty object.
      if (matchesGlob(object.key, key) && !object.key.endsWith('/')) found.push({ ...object, bucket });
    }
  });
  if (found.length > 0) return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  throw new HeadraceError('HR_SOURCE_UNREADABLE', `${owner}: no object matches ${path}. Check its bucket and path.`);
}

/** An error of S3, with who met it. */
export async function told<T>(owner: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HeadraceError)) throw error;
    const advice = silenceOf(error) === undefined ? '' : '. Where it takes that long, raise offline.s3Silence.';
    throw new HeadraceError(error.code, `${owner}: ${error.message}${advice}`, { cause: error });
  }
}

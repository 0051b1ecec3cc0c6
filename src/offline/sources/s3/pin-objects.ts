// Pins objects of S3 for a run. DuckDB reads them where they are, only the bytes that it needs, when it has httpfs; else they
// are fetched, each with the etag that it had, and their copies are read. Either way the etag says what was read.

import { HeadraceError } from '../../../core/index.ts';
import { pinFiles } from '../files/pin-files.ts';
import type { FilesPlace } from '../pin-path.ts';
import type { PinnedSnapshot } from '../pinned-snapshot.ts';
import type { SourceDeps } from '../source-deps.ts';
import { type FoundObject, told } from './find-objects.ts';
import { grantAccess } from './grant-access.ts';
import { fetchObjects } from './object-cache.ts';

/** `find` gives them as they are now, and is asked again after each pass. */
export async function pinObjects(
  place: Omit<FilesPlace, 'path' | 'directory'>,
  find: () => Promise<readonly FoundObject[]>,
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  const { owner, format } = place;
  const objects = await find();
  const files = objects.map((object) => ({ path: addressOf(object), size: object.size, etag: object.etag }));
  const buckets = objects.map(({ bucket }) => bucket);
  if (objects.every(({ key }) => isPlain(key)) && (await grantAccess(buckets, owner, deps))) {
    return {
      format,
      files,
      paths: files.map(({ path }) => path),
      knownBy: 'etag',
      async verify() {
        const now = new Map((await find()).map((object) => [addressOf(object), object.etag]));
        for (const { path, etag } of files) if (now.get(path) !== etag) throw changed(owner, path, !now.has(path));
      },
      async close() {},
    };
  }
  const copies = await told(owner, () => fetchObjects(objects, owner, deps));
  const pinned = await pinFiles(copies, owner, place);
  return { ...pinned, files, knownBy: 'etag' };
}

/** Whether DuckDB takes it for a name, and for nothing but a name. */
const isPlain = (key: string): boolean => !/[*?[\]{}%#+&=\s]/.test(key.replaceAll(/(?<=\/|^)\w+=/g, ''));

const addressOf = ({ bucket, key }: FoundObject): string => `s3://${bucket}/${key}`;

export function changed(owner: string, path: string, isGone: boolean): HeadraceError {
  return new HeadraceError(
    'HR_SOURCE_CHANGED',
    `${owner}: ${path} ${isGone ? 'was removed' : 'was changed'} while it was read. Nothing of this run is kept; run it again.`,
  );
}

// Pins objects of S3 for a run. With httpfs DuckDB reads large ones where they are, only the bytes that it needs; small ones,
// and all without it, are fetched, each with the etag that it had, and their copies are read. Either way the etag says what was
// read.

import { pinFiles } from '../files/pin-files.ts';
import type { SnapshotFile } from '../../../online/index.ts';
import type { FilesPlace } from '../pin-path.ts';
import type { PinnedSnapshot } from '../pinned-snapshot.ts';
import { DEFAULT_CACHE_BYTES, type PlaceDeps } from '../source-deps.ts';
import { sourceChanged } from '../source-errors.ts';
import { addressOf, type FoundObject, told } from './find-objects.ts';
import { grantAccess } from './grant-access.ts';
import { fetchObjects } from './object-cache.ts';

/** `find` gives them as they are by then: it is asked after each pass. */
export async function pinObjects(
  place: Omit<FilesPlace, 'path' | 'directory'>,
  objects: readonly FoundObject[],
  find: () => Promise<readonly FoundObject[]>,
  deps: PlaceDeps,
): Promise<PinnedSnapshot> {
  const { owner, format } = place;
  const files = objects.map(fileOf);
  if (await areReadThere(objects, owner, deps)) {
    return {
      format,
      files,
      paths: files.map(({ path }) => path),
      knownBy: 'etag',
      async verify() {
        const now = new Map((await find()).map((object) => [addressOf(object), object.etag]));
        for (const { path, etag } of files)
          if (now.get(path) !== etag) throw sourceChanged(owner, path, !now.has(path));
      },
      async close() {},
      async copy(wanted) {
        const names = new Map(objects.map((object) => [addressOf(object), object]));
        const some = wanted.map(({ path }) => names.get(path) as FoundObject);
        return isCheap(some, deps) ? pinCopies(wanted, some, place, deps) : undefined;
      },
    };
  }
  return pinCopies(files, objects, place, deps);
}

export const fileOf = (object: FoundObject): SnapshotFile => ({
  path: addressOf(object),
  size: object.size,
  etag: object.etag,
});

/** Whether DuckDB reads them where they are; otherwise it reads copies. */
export async function areReadThere(objects: readonly FoundObject[], owner: string, deps: PlaceDeps): Promise<boolean> {
  const buckets = objects.map(({ bucket }) => bucket);
  return objects.every(({ key }) => isPlain(key)) && grantAccess(buckets, owner, deps);
}

/** Whether copies of them would leave room for others. */
export function haveRoom(objects: readonly { readonly size: number }[], { remote }: PlaceDeps): boolean {
  const total = objects.reduce((sum, { size }) => sum + size, 0);
  return total <= (remote?.cacheBytes ?? DEFAULT_CACHE_BYTES) / 2;
}

async function pinCopies(
  files: readonly SnapshotFile[],
  objects: readonly FoundObject[],
  place: Omit<FilesPlace, 'path' | 'directory'>,
  deps: PlaceDeps,
): Promise<PinnedSnapshot> {
  const copies = await told(place.owner, () => fetchObjects(objects, place.owner, deps));
  return { ...(await pinFiles(copies, place.owner, place)), files, knownBy: 'etag' };
}

/** So small an object costs less in one request, whole, than in several a pass. */
const SMALL_BYTES = 16_000_000;

function isCheap(objects: readonly FoundObject[], deps: PlaceDeps): boolean {
  return haveRoom(objects, deps) && objects.every(({ size }) => size <= SMALL_BYTES);
}

/** Whether DuckDB takes it for a name, and for nothing but a name. */
const isPlain = (key: string): boolean => !/[*?[\]{}%#+&=\s]/.test(key.replaceAll(/(?<=\/|^)\w+=/g, ''));

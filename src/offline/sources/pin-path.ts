// Pins the files that a path names, on this machine's disk or in S3.

import type { PlaceDeps } from './source-deps.ts';
import { findFiles } from './files/find-files.ts';
import { pinFiles } from './files/pin-files.ts';
import type { LeftOut, PinnedSnapshot } from './pinned-snapshot.ts';
import { addressOf, findObjects, type FoundObject } from './s3/find-objects.ts';
import { areReadThere, fileOf, haveRoom, pinObjects } from './s3/pin-objects.ts';
import { isS3Path } from './s3/s3-path.ts';

export interface FilesPlace {
  /** A glob: relative to `directory`, absolute, or s3://bucket/… */
  readonly path: string;
  readonly directory: string;
  readonly format: PinnedSnapshot['format'];
  /** Who reads them, for messages. */
  readonly owner: string;
  /** False for a reader that needs the files' names. */
  readonly isHeld?: boolean;
  /** Which of the files that match are wanted; left out: all. */
  readonly keeps?: (path: string) => boolean;
}

/** Errors: HR_SOURCE_UNREADABLE where no file matches, or one can't be opened; HR_CONFIG for what S3 refuses. */
export async function pinPath(place: FilesPlace, deps: PlaceDeps): Promise<PinnedSnapshot> {
  const { path, directory, owner, keeps = () => true } = place;
  if (isS3Path(path)) {
    const found = await findObjects(path, owner, deps);
    const isKept = (object: FoundObject): boolean => keeps(addressOf(object));
    const again = async () => (await findObjects(path, owner, deps)).filter(isKept);
    const kept = found.filter(isKept);
    const pinned = await pinObjects(place, kept, again, deps);
    return withLeftOut(
      pinned,
      found.filter((object) => !isKept(object)),
      (others) => otherObjects(place, others, deps),
    );
  }
  const found = await findFiles(path, directory, owner);
  const pinned = await pinFiles(found.filter(keeps), owner, place);
  return withLeftOut(
    pinned,
    found.filter((one) => !keeps(one)),
    (others) => otherFiles(place, others),
  );
}

function withLeftOut<T>(
  pinned: PinnedSnapshot,
  others: readonly T[],
  leftOut: (others: readonly T[]) => LeftOut,
): PinnedSnapshot {
  return { ...pinned, skipped: others.length, ...(others.length > 0 && { leftOut: leftOut(others) }) };
}

function otherFiles({ owner, format }: FilesPlace, paths: readonly string[]): LeftOut {
  // They may be more than can be held open beside those that are needed.
  const pin = (some: readonly string[]) => pinFiles(some, owner, { format, isHeld: false });
  return {
    files: async () => (await pin(paths)).files,
    pin: (files) => pin(files.map(({ path }) => path)),
  };
}

function otherObjects(place: FilesPlace, objects: readonly FoundObject[], deps: PlaceDeps): LeftOut {
  const { path, owner } = place;
  return {
    files: async () => objects.map(fileOf),
    async pin(files) {
      const wanted = new Set(files.map((file) => file.path));
      const some = objects.filter((object) => wanted.has(addressOf(object)));
      if (!haveRoom(some, deps) && !(await areReadThere(some, owner, deps))) return undefined;
      return pinObjects(place, some, () => findObjects(path, owner, deps), deps);
    },
  };
}

/** The same of files that a record names; what they hold by now is the caller's to compare. */
export async function pinPaths(
  paths: readonly string[],
  place: Omit<FilesPlace, 'path' | 'directory'>,
  deps: PlaceDeps,
): Promise<PinnedSnapshot> {
  if (!paths.some(isS3Path)) return pinFiles(paths, place.owner, place);
  const find = async () => (await Promise.all(paths.map((path) => findObjects(path, place.owner, deps)))).flat();
  return pinObjects(place, await find(), find, deps);
}

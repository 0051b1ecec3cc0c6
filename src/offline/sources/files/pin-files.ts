// Pins the files of a source for a run. On Linux each is held open and read through its descriptor: what is renamed over
// its path, or the path's removal, can't change what is read. Elsewhere, and past some hundreds of files, the paths
// themselves are read, and only the checks after each pass tell.

import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { HeadraceError, messageOf } from '../../../core/index.ts';
import type { SnapshotFile } from '../../../online/index.ts';
import type { PinnedSnapshot } from '../pinned-snapshot.ts';
import { sourceChanged } from '../source-errors.ts';
import { forgetPinnedPath, namePinnedPath } from './pinned-paths.ts';

/** Files that this process may hold open for snapshots, all together. */
const MOST_HELD = 500;

let held = 0;

/**
 * `owner` is who reads them, for messages. The paths are kept in their order, and are read themselves where they shall not
 * be held open: a reader may need a file's name.
 */
export async function pinFiles(
  paths: readonly string[],
  owner: string,
  { isHeld = true, format = 'parquet' }: { readonly isHeld?: boolean; readonly format?: PinnedSnapshot['format'] } = {},
): Promise<PinnedSnapshot> {
  const canHold = isHeld && process.platform === 'linux' && held + paths.length <= MOST_HELD;
  const pins: Pin[] = [];
  const close = async () => {
    await Promise.all(pins.splice(0).map((pin) => pin.release()));
  };
  try {
    for (const path of paths) pins.push(canHold ? await holdOpen(path, owner) : await remember(path, owner));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    format,
    knownBy: 'sha256',
    files: pins.map(({ file }) => file),
    paths: pins.map(({ readPath }) => readPath),
    async verify() {
      for (const { file, look } of pins) {
        const now = await look().catch(() => undefined);
        if (now === undefined || !isSame(file, now)) throw sourceChanged(owner, file.path, now === undefined);
      }
    },
    close,
  };
}

interface Pin {
  readonly file: SnapshotFile;
  readonly readPath: string;
  look(): Promise<BigIntStats>;
  release(): Promise<void>;
}

async function holdOpen(path: string, owner: string): Promise<Pin> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw unreadable(owner, path, error);
  }
  held++;
  const readPath = `/proc/self/fd/${handle.fd}`;
  namePinnedPath(readPath, path);
  return {
    file: fileOf(path, await handle.stat({ bigint: true })),
    readPath,
    look: () => handle.stat({ bigint: true }),
    async release() {
      held--;
      forgetPinnedPath(readPath);
      await handle.close();
    },
  };
}

async function remember(path: string, owner: string): Promise<Pin> {
  const look = () => stat(path, { bigint: true });
  const found = await look().catch((error: unknown) => {
    throw unreadable(owner, path, error);
  });
  return { file: fileOf(path, found), readPath: path, look, release: async () => {} };
}

// The time of the last change of the inode too: tools that copy set the time of the content back.
function fileOf(path: string, { size, ino, mtimeNs, ctimeNs }: BigIntStats): SnapshotFile {
  return { path, size: Number(size), etag: `${ino}-${mtimeNs}-${ctimeNs}` };
}

// But not of a file that is held open: another's taking its path, or its removal, changes the inode and not the content.
function isSame(file: SnapshotFile, { size, ino, mtimeNs }: BigIntStats): boolean {
  return Number(size) === file.size && file.etag.startsWith(`${ino}-${mtimeNs}-`);
}

function unreadable(owner: string, path: string, cause: unknown): HeadraceError {
  const message = messageOf(cause);
  return new HeadraceError('HR_SOURCE_UNREADABLE', `${owner}: ${path} cannot be opened: ${message}.`, { cause });
}

// Appends lines to this process's own segment of one kind. A segment ends when it is large or its hour is over, and is
// never appended to again, not after a restart either: a torn last line stays the last.

import { mkdir, open, type FileHandle, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, floorTo, HeadraceError, MICROS_PER_HOUR } from '../../core/index.ts';
import { type RecordKind, segmentFolder, segmentName } from './segments.ts';

export interface SegmentWriter {
  /** Writes whole lines; they are durable after `sync`. Throws HR_STORAGE_FULL, having ended the segment at its last whole line. */
  write(lines: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  /** An empty segment is removed. */
  close(): Promise<void>;
}

export interface SegmentWriterOptions {
  readonly directory: string;
  readonly kind: RecordKind;
  readonly token: string;
  readonly clock: Clock;
  readonly segmentBytes: number;
}

export function createSegmentWriter({
  directory,
  kind,
  token,
  clock,
  segmentBytes,
}: SegmentWriterOptions): SegmentWriter {
  const folder = segmentFolder(directory, kind);
  let file: { readonly handle: FileHandle; readonly path: string; readonly hour: number } | undefined;
  let length = 0;
  let syncedLength = 0;
  let count = 0;

  const begin = async (): Promise<NonNullable<typeof file>> => {
    await mkdir(folder, { recursive: true });
    const now = clock.nowMicros();
    const path = join(folder, `${segmentName(now, token, count++)}.ndjson`);
    const handle = await open(path, 'wx');
    file = { handle, path, hour: floorTo(now, MICROS_PER_HOUR) };
    length = syncedLength = 0;
    // The file's name must be as durable as what is in it.
    const parent = await open(folder, 'r');
    try {
      await parent.sync();
    } finally {
      await parent.close();
    }
    return file;
  };

  const end = async (): Promise<void> => {
    const ended = file;
    file = undefined;
    if (ended === undefined) return;
    try {
      if (length > syncedLength) await ended.handle.datasync();
    } finally {
      await ended.handle.close();
      if (length === 0) await rm(ended.path, { force: true });
    }
  };

  // What may not be on disk must not be found by a reader either: it is counted as dropped.
  const giveUp = async (cause: unknown): Promise<never> => {
    length = syncedLength;
    await file?.handle.truncate(syncedLength).catch(() => {});
    await end().catch(() => {});
    throw toLogError(cause, folder);
  };

  return {
    async write(bytes) {
      const isOver =
        file !== undefined && (length >= segmentBytes || floorTo(clock.nowMicros(), MICROS_PER_HOUR) !== file.hour);
      try {
        if (isOver) await end();
        const { handle } = file ?? (await begin());
        for (let at = 0; at < bytes.length; )
          at += (await handle.write(bytes, at, bytes.length - at, length + at)).bytesWritten;
        length += bytes.length;
      } catch (error) {
        await giveUp(error);
      }
    },
    async sync() {
      if (file === undefined || length === syncedLength) return;
      try {
        await file.handle.datasync();
        syncedLength = length;
      } catch (error) {
        await giveUp(error);
      }
    },
    close: end,
  };
}

function toLogError(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOSPC') return error;
  return new HeadraceError(
    'HR_STORAGE_FULL',
    `the disk that holds the prediction log at ${folder} is full; what was not written is dropped. Free space, or compact the log`,
    { cause: error },
  );
}

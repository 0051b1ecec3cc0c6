// Appends frames to this process's own segment of a source. What waits while the disk syncs goes into the next sync
// together (group commit). A segment is never appended to by another process, nor again after a restart.

import { mkdirSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, HeadraceError } from '../../core/index.ts';
import { MAGIC } from './frame.ts';

export interface SegmentWriter {
  /** Resolves once the frame is on disk. */
  append(frame: Buffer): Promise<void>;
  /** Name of the segment being written, if any. */
  active(): string | undefined;
  /** Ends the active segment; the next append begins another. Gives its name. */
  rotate(): Promise<string | undefined>;
  close(): Promise<void>;
}

const SEGMENT_BYTES = 16 * 1024 ** 2;

interface Waiting {
  readonly frame: Buffer;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export function createSegmentWriter(folder: string, token: string, clock: Clock): SegmentWriter {
  let handle: FileHandle | undefined;
  let name: string | undefined;
  let length = 0;
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;
  let count = 0;

  const begin = async (): Promise<FileHandle> => {
    mkdirSync(folder, { recursive: true });
    name = `${String(clock.nowMicros()).padStart(17, '0')}-${process.pid}-${token}-${count++}.log`;
    handle = await open(join(folder, name), 'wx');
    await handle.write(MAGIC, 0, MAGIC.length, 0);
    length = MAGIC.length;
    // The file's name must be as durable as what is in it.
    const directory = await open(folder, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    return handle;
  };

  const end = async (): Promise<void> => {
    const ended = handle;
    handle = undefined;
    name = undefined;
    await ended?.close();
  };

  const flushOnce = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      const file = handle ?? (await begin());
      const bytes = Buffer.concat(batch.map(({ frame }) => frame));
      for (let at = 0; at < bytes.length; )
        at += (await file.write(bytes, at, bytes.length - at, length + at)).bytesWritten;
      await file.datasync();
      length += bytes.length;
      for (const { done } of batch) done();
      if (length >= SEGMENT_BYTES) await end();
    } catch (error) {
      // What was cut short must not be found by a reader; if even that fails its checksum says so.
      await handle?.truncate(length).catch(() => {});
      await end().catch(() => {});
      for (const { failed } of batch) failed(toLogError(error, folder));
    }
  };

  // Ends by itself, in the same step in which it sees that nothing waits: an append can't fall in between.
  const flush = async (): Promise<void> => {
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await flushOnce(batch);
    }
    flushing = undefined;
  };

  const settle = async (): Promise<void> => {
    await flushing;
  };

  return {
    append(frame) {
      const appended = new Promise<void>((done, failed) => waiting.push({ frame, done, failed }));
      flushing ??= flush();
      return appended;
    },
    active: () => name,
    async rotate() {
      await settle();
      const ended = name;
      await end();
      return ended;
    },
    async close() {
      await settle();
      const isEmpty = length === MAGIC.length;
      const ended = name;
      await end();
      if (isEmpty && ended !== undefined) await rm(join(folder, ended), { force: true });
    },
  };
}

function toLogError(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOSPC') return error;
  return new HeadraceError(
    'HR_STORAGE_FULL',
    `the disk that holds the push log at ${folder} is full; nothing of this push was kept. Free space and push again`,
    { cause: error },
  );
}

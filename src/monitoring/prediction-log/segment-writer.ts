// Appends frames to this writer's own segment. It ends when it is large, its hour is over, or the lease ran late; then it
// gets the name of one that is ended, and is never appended to again, not after a restart either.

import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, floorTo, HeadraceError, MICROS_PER_HOUR, syncPath } from '../../core/index.ts';
import type { NamedSchema } from './arm-schema.ts';
import { KIND, packFrame, SEGMENT_HEAD } from './frame.ts';
import { endedPath, noneIfGone, openPath, segmentName, segmentsFolder } from './segments.ts';
import { takeLease, type WriterLease } from './writer-lease.ts';

export interface SegmentWriter {
  /**
   * Writes whole frames, behind the schemas that they need. They are durable after `sync`. Where either fails, the segment
   * ends at what is durable, and all behind that is lost: HR_STORAGE_FULL, or what the disk says.
   */
  write(frames: Uint8Array, schemas: readonly NamedSchema[]): Promise<void>;
  sync(): Promise<void>;
  /** Ends a segment whose hour is over, that readers need not take it for one that is written. */
  tick(): Promise<void>;
  /** An empty segment is removed, and the writer's folder with its last one. */
  close(): Promise<void>;
}

export interface SegmentWriterOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly segmentBytes: number;
  /** Called whenever all that was written is durable. */
  readonly onDurable: () => void;
}

/** A writer's folder; after a compaction that took it for dead the writer begins in another. */
interface Place {
  readonly token: string;
  readonly folder: string;
  readonly lease: WriterLease;
}

interface OpenSegment {
  readonly handle: FileHandle;
  readonly folder: string;
  readonly name: string;
  readonly hour: number;
  readonly schemas: Set<string>;
  length: number;
  syncedLength: number;
}

export function createSegmentWriter(options: SegmentWriterOptions): SegmentWriter {
  const { directory, clock, segmentBytes, onDurable } = options;
  let place: Place | undefined;
  let segment: OpenSegment | undefined;
  let count = 0;

  const begin = async (): Promise<OpenSegment> => {
    place ??= await takePlace(directory);
    const { folder, token, lease } = place;
    if (!lease.isFresh()) await lease.renew();
    const now = clock.nowMicros();
    const name = segmentName(now, token, count++);
    const handle = await open(openPath(folder, name), 'wx');
    segment = {
      handle,
      folder,
      name,
      hour: floorTo(now, MICROS_PER_HOUR),
      schemas: new Set(),
      length: 0,
      syncedLength: 0,
    };
    // The names must be as durable as what is in the file.
    for (const path of [folder, segmentsFolder(directory)]) await syncPath(path);
    return segment;
  };

  const sync = async (to: OpenSegment): Promise<void> => {
    if (to.length === to.syncedLength) return;
    await to.handle.datasync();
    // A compaction that took this process for dead has removed the file: what was written since is nowhere.
    if ((await to.handle.stat()).nlink === 0) throw new TakenError('the segment was taken by a compaction');
    to.syncedLength = to.length;
    onDurable();
  };

  const end = async (): Promise<void> => {
    const ended = segment;
    segment = undefined;
    if (ended === undefined) return;
    const path = openPath(ended.folder, ended.name);
    try {
      await sync(ended);
    } finally {
      await ended.handle.close();
      if (ended.syncedLength === 0) await rm(path, { force: true });
      else await rename(path, endedPath(ended.folder, ended.name)).catch(noneIfGone);
    }
  };

  // What may not be on disk must not be found by a reader either: it is counted as dropped.
  const giveUp = async (cause: unknown): Promise<never> => {
    if (segment !== undefined) {
      segment.length = segment.syncedLength;
      await segment.handle.truncate(segment.syncedLength).catch(() => {});
    }
    await end().catch(() => {});
    // Nor is a lease kept that cannot be renewed.
    if (cause instanceof TakenError || codeOf(cause) === 'ENOENT' || place?.lease.isFresh() === false) {
      await place?.lease.release();
      place = undefined;
    }
    throw toLogError(cause, directory);
  };

  const put = async (to: OpenSegment, bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await to.handle.write(bytes, at, bytes.length - at, to.length + at);
      at += bytesWritten;
    }
    to.length += bytes.length;
  };

  const isOver = (): boolean =>
    segment !== undefined &&
    (segment.length >= segmentBytes ||
      floorTo(clock.nowMicros(), MICROS_PER_HOUR) !== segment.hour ||
      place?.lease.isFresh() !== true);

  return {
    async write(frames, schemas) {
      try {
        if (isOver()) await end();
        const to = segment ?? (await begin());
        if (to.length === 0) await put(to, SEGMENT_HEAD);
        for (const { id, text } of schemas) {
          if (to.schemas.has(id)) continue;
          await put(to, packFrame(KIND.schema, 0, Buffer.concat([Buffer.from(id, 'hex'), Buffer.from(text)])));
          to.schemas.add(id);
        }
        await put(to, frames);
      } catch (error) {
        await giveUp(error);
      }
    },
    async sync() {
      try {
        if (segment !== undefined) await sync(segment);
      } catch (error) {
        await giveUp(error);
      }
    },
    async tick() {
      try {
        if (isOver()) await end();
      } catch (error) {
        await giveUp(error);
      }
    },
    async close() {
      try {
        await end();
      } finally {
        await place?.lease.release();
        place = undefined;
      }
    },
  };
}

class TakenError extends Error {}

async function takePlace(directory: string): Promise<Place> {
  const token = randomBytes(6).toString('hex');
  const folder = join(segmentsFolder(directory), token);
  return { token, folder, lease: await takeLease(folder) };
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

function toLogError(error: unknown, directory: string): unknown {
  if (codeOf(error) !== 'ENOSPC') return error;
  return new HeadraceError(
    'HR_STORAGE_FULL',
    `the disk that holds the prediction log at ${directory} is full; what was not written is dropped. Free space, or compact the log`,
    { cause: error },
  );
}

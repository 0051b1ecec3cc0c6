// Appends frames to a log's segments. What waits while the disk syncs goes into the next write and sync together (group
// commit). After a failed write the segment is never written again: the head of the next says how much of it counts.

import { type FileHandle, open } from 'node:fs/promises';
import { HeadraceError, messageOf, syncPath } from '../../core/index.ts';
import type { CutRecord } from '../event-log.ts';
import { type LocalSegment, removeSegment, segmentPath } from './local-segments.ts';
import { advance, type LogRecord, packHead, type Positions } from '../records/log-record.ts';

/** A log as it stands on disk: what a new one begins with, and what one found after a crash goes on from. */
export interface StandingLog {
  readonly positions: Positions;
  readonly cuts: Map<number, CutRecord>;
  /** The last segment that was begun; seq 0 for none. */
  readonly last: { readonly seq: number; readonly bytes: number };
  readonly local: LocalSegment[];
  /** As `LogWriter.formerly`. */
  readonly formerly?: number | undefined;
}

export interface Appender {
  /** Where the log will stand once all calls so far are on disk. */
  called(): Positions;
  /** Where it stands on disk. */
  durable(): Positions;
  /** Resolves once the frame is on disk; frames get there in the order of calls. */
  add(frame: Buffer, record: LogRecord): Promise<void>;
  /** Ends the segment that is written, after what was added so far, unless it holds no record. */
  rotate(): Promise<void>;
  /** Whether the segment is still being written. */
  isActive(segment: LocalSegment): boolean;
  close(): Promise<void>;
}

export interface AppenderOptions {
  readonly folder: string;
  readonly writer: number;
  readonly token: string;
  readonly segmentBytes: number;
  /** Called when a segment was ended because it is full. */
  onFull(): void;
}

interface Waiting {
  /** Undefined asks for a rotation. */
  readonly write: { readonly frame: Buffer; readonly record: LogRecord } | undefined;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export function createAppender(log: StandingLog, options: AppenderOptions): Appender {
  const { folder, writer, token, segmentBytes, onFull } = options;
  const { cuts, local } = log;
  let { positions: durable, last } = log;
  let called = durable;
  let active: { readonly segment: LocalSegment; readonly handle: FileHandle; records: number } | undefined;
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;
  let isClosed = false;

  const begin = async (): Promise<NonNullable<typeof active>> => {
    const seq = last.seq + 1;
    const head = packHead({ writer, token, seq, previous: last.bytes, ...durable });
    // A file of this number can only be one whose beginning failed: it holds no record.
    const handle = await open(segmentPath(folder, seq), 'w');
    try {
      await writeAll(handle, head, 0);
      await handle.datasync();
      await syncPath(folder);
    } catch (error) {
      await handle.close().catch(() => {});
      await removeSegment(folder, seq).catch(() => {});
      throw error;
    }
    const segment = { seq, bytes: head.length, firstCut: durable.cut, lastCut: durable.cut };
    local.push(segment);
    last = segment;
    active = { segment, handle, records: 0 };
    return active;
  };

  const end = async (): Promise<void> => {
    const ended = active;
    active = undefined;
    // All of it is synced: closing has nothing left to lose.
    await ended?.handle.close().catch(() => {});
  };

  const write = async (frames: readonly Buffer[]): Promise<void> => {
    if (frames.length === 0) return;
    const bytes = frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames);
    const current = active ?? (await begin());
    await writeAll(current.handle, bytes, current.segment.bytes);
    await current.handle.datasync();
    current.segment.bytes += bytes.length;
    current.records += frames.length;
  };

  /** Whether it is certain that nothing of the failed write will ever be read. */
  const voidFailedWrite = async (): Promise<boolean> => {
    const failed = active;
    active = undefined;
    // The segment itself could not be begun: nothing was written.
    if (failed === undefined) return true;
    try {
      await failed.handle.truncate(failed.segment.bytes);
      await failed.handle.datasync();
      return true;
    } catch {
      return await begin().then(
        () => true,
        () => false,
      );
    } finally {
      await failed.handle.close().catch(() => {});
    }
  };

  const note = (record: LogRecord): void => {
    // It was checked at the call, and calls get to disk in their order.
    durable = advance(durable, record) as Positions;
    if (active !== undefined) active.segment.lastCut = durable.cut;
    if (record.kind === 'mark') cuts.set(record.cut, { cut: record.cut, view: record.view, voids: undefined });
    if (record.kind === 'seal') {
      const opened = cuts.get(record.cut);
      if (opened !== undefined) cuts.set(record.cut, { ...opened, voids: new Set(record.voids) });
    }
  };

  const flushOnce = async (batch: readonly Waiting[]): Promise<void> => {
    const writes = batch.flatMap((item) => item.write ?? []);
    try {
      await write(writes.map(({ frame }) => frame));
    } catch (error) {
      // What was called since may stand on what failed (a cut's mark): it fails too.
      const lost = [...batch, ...waiting];
      waiting = [];
      called = { ...durable, offset: called.offset };
      const isVoid = await voidFailedWrite();
      for (const { failed } of lost) failed(writeFailed(error, folder, isVoid));
      return;
    }
    for (const { record } of writes) note(record);
    for (const item of batch) if (item.write !== undefined) item.done();
    const isFull = active !== undefined && active.segment.bytes >= segmentBytes;
    const rotation = batch.at(-1)?.write === undefined ? batch.at(-1) : undefined;
    if (isFull || (rotation !== undefined && active !== undefined && active.records > 0)) await end();
    rotation?.done();
    if (isFull) onFull();
  };

  // Ends by itself, in the same step in which it sees that nothing waits: a call can't fall in between.
  const flush = async (): Promise<void> => {
    await Promise.resolve();
    while (waiting.length > 0) {
      const rotation = waiting.findIndex((item) => item.write === undefined);
      await flushOnce(waiting.splice(0, rotation < 0 ? waiting.length : rotation + 1));
    }
    flushing = undefined;
  };

  const enqueue = (write: Waiting['write']): Promise<void> => {
    if (isClosed) throw new HeadraceError('HR_STOPPING', `the event log of writer ${writer} is closed here`);
    const written = new Promise<void>((done, failed) => waiting.push({ write, done, failed }));
    flushing ??= flush();
    return written;
  };

  return {
    called: () => called,
    durable: () => durable,
    add(frame, record) {
      const next = advance(called, record);
      if (typeof next === 'string') throw new HeadraceError('HR_INTERNAL', `the event log refuses a record: ${next}`);
      const written = enqueue({ frame, record });
      called = next;
      return written;
    },
    rotate: () => enqueue(undefined),
    isActive: (segment) => segment === active?.segment,
    async close() {
      isClosed = true;
      await flushing;
      await end();
    },
  };
}

async function writeAll(handle: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

function writeFailed(error: unknown, folder: string, isVoid: boolean): HeadraceError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = messageOf(error);
  if (!isVoid) {
    const sentence = `the disk of the event log at ${folder} fails (${reason}): whether this was kept will be known at the next start`;
    return new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence, { cause: error });
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const sentence = `the disk of the event log at ${folder} is full; nothing of this was kept. Free space and try again`;
    return new HeadraceError('HR_STORAGE_FULL', sentence, { cause: error });
  }
  const sentence = `the disk of the event log at ${folder} fails (${reason}); nothing of this was kept`;
  return new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence, { cause: error });
}

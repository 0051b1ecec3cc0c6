// Folders of logs that were copied: the disk of a machine that was cloned, a volume's snapshot, an image with a log in it. Of all
// copies of a folder one at most goes on; what the others hold is compared with what was shipped, and never removed unread.

import { execFile } from 'node:child_process';
import { readFile, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { HeadraceError, messageOf, syncPath } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { LogEntry } from '../event-log.ts';
import { readFrame } from '../records/frame.ts';
import { readRecord } from '../records/log-record.ts';
import { listSegments, segmentKey, segmentPath } from './local-segments.ts';
import { entriesOf } from './segment.ts';
import { storeFailed } from './shipping.ts';

/**
 * Which folder this is, in text: device, inode, and the boot of the machine. A copy has another one, and so has the folder itself
 * after a restart of the machine. Undefined where the system gives no identifier of its boot.
 */
export async function placeOf(folder: string): Promise<string | undefined> {
  const boot = await bootOf();
  if (boot === undefined) return undefined;
  const { dev, ino } = await stat(folder, { bigint: true });
  return `${dev}:${ino}:${boot}`;
}

async function bootOf(): Promise<string | undefined> {
  try {
    if (process.platform !== 'darwin') return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    return (await promisify(execFile)('sysctl', ['-n', 'kern.bootsessionuuid'])).stdout.trim();
  } catch {
    return undefined;
  }
}

export interface CopiedSegment {
  readonly folder: string;
  readonly writer: number;
  readonly token: string;
  readonly seq: number;
}

/**
 * Whether a local file holds entries that the object of the same number lacks; all of them where the object is gone. Throws
 * HR_STORAGE_UNAVAILABLE.
 */
export async function hasMore(copied: CopiedSegment, objects: ObjectStore): Promise<boolean> {
  const { local, same } = await compare(copied, objects);
  return hasEntries(local, same);
}

/** Whether a segment has an entry that ends past the first `from` bytes; true where it is too damaged to tell. */
export function hasEntries(bytes: Buffer, from = 0): boolean {
  for (let at = 0; at < bytes.length; ) {
    const frame = readFrame(bytes, at);
    // A write that never ended was never acknowledged.
    if (frame === 'torn') return false;
    if (typeof frame === 'string') return true;
    if (frame.end > from && readRecord(frame)?.kind === 'entry') return true;
    at = frame.end;
  }
  return false;
}

/**
 * The entries of a folder that was set aside which the log lacks, in the order in which they were appended. Throws HR_INVALID for
 * a folder that is no log's, HR_LOG_DAMAGED at the first bad frame, HR_STORAGE_UNAVAILABLE.
 */
export async function* readCopied(folder: string, objects: ObjectStore): AsyncGenerator<LogEntry> {
  const { writer, token } = nameIn(folder);
  const seqs = await listSegments(folder).catch((error: unknown) => {
    throw new HeadraceError('HR_INVALID', `${folder} can't be read: ${messageOf(error)}`, { cause: error });
  });
  for (const seq of seqs) {
    const { local, same } = await compare({ folder, writer, token, seq }, objects);
    const id = { writer, token, seq, name: segmentPath(folder, seq) };
    const end = wholeFrames(local);
    // Its process died before the head was whole: no entry follows.
    if (end === 0) continue;
    yield* entriesOf(local.subarray(0, end), id, 0, Number.MAX_SAFE_INTEGER, same);
  }
}

/** Up to where a segment has whole frames, or what is damaged begins to the end: which its reader finds. */
function wholeFrames(bytes: Buffer): number {
  for (let at = 0; at < bytes.length; ) {
    const frame = readFrame(bytes, at);
    if (frame === 'torn') return at;
    if (typeof frame === 'string') break;
    at = frame.end;
  }
  return bytes.length;
}

/** A local file, and how many bytes of it are in the object of the same number. Throws HR_STORAGE_UNAVAILABLE. */
async function compare({ folder, writer, token, seq }: CopiedSegment, objects: ObjectStore) {
  const local = await readFile(segmentPath(folder, seq));
  const key = segmentKey(writer, token, seq);
  const object = await objects.get(key).catch((error: unknown) => {
    throw storeFailed(error, key);
  });
  return { local, same: object === undefined ? 0 : sameBytes(local, object) };
}

/** How many bytes are the same from the beginning. */
function sameBytes(local: Buffer, object: Uint8Array): number {
  const length = Math.min(local.length, object.length);
  if (local.compare(object, 0, length, 0, length) === 0) return length;
  return local.subarray(0, length).findIndex((byte, at) => byte !== object[at]);
}

/** Folders under this name hold entries that their writers' logs lack. */
export const COPIED_PREFIX = '.copied-';

/** Moves a folder to where nobody takes it for a log that goes on; gives its path. The caller holds its lock. */
export async function setAside(folder: string): Promise<string> {
  const path = join(dirname(folder), `${COPIED_PREFIX}${basename(folder)}`);
  for (let copy = 1; ; copy++) {
    const aside = copy === 1 ? path : `${path}.${copy}`;
    try {
      await rename(folder, aside);
      await syncPath(dirname(folder));
      return aside;
    } catch (error) {
      // A copy of the same folder was set aside before.
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
  }
}

export function logCopied(path: string): HeadraceError {
  const sentence =
    `the folder ${path} is a copy of the event log of writer ${nameIn(path).writer}, and holds entries that the log lacks: another ` +
    'copy was settled without them. They were acknowledged and count nowhere. Nothing was removed. Print them with headrace log ' +
    `entries ${path}, push again those that are needed, then remove the folder`;
  return new HeadraceError('HR_LOG_COPIED', sentence);
}

/** Throws HR_INVALID. */
function nameIn(folder: string): { readonly writer: number; readonly token: string } {
  const [, writer, token] = /(\d+)-([0-9a-f]+)(?:\.\d+)?\/*$/.exec(folder) ?? [];
  if (writer !== undefined && token !== undefined) return { writer: Number(writer), token };
  const sentence = `${folder} is no folder of the event log: those are named NUMBER-TOKEN, and .copied-NUMBER-TOKEN where they were set aside`;
  throw new HeadraceError('HR_INVALID', sentence);
}

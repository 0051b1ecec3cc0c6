// A log's folder on disk: `<number>-<token>/`, with one file per segment that isn't shipped yet.

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A segment that is only on this disk. It grows while it is written; `bytes` are those acknowledged or void. */
export interface LocalSegment {
  readonly seq: number;
  bytes: number;
  /** Cuts that were open at its beginning and at its end. */
  readonly firstCut: number;
  lastCut: number;
}

const SEQ_DIGITS = 10;

const fileName = (seq: number): string => `${String(seq).padStart(SEQ_DIGITS, '0')}.log`;

export const folderName = (number: number, token: string): string => `${number}-${token}`;

export const segmentPath = (folder: string, seq: number): string => join(folder, fileName(seq));

export const segmentKey = (number: number, token: string, seq: number): string =>
  `events/${folderName(number, token)}/${fileName(seq)}`;

/** Numbers of the segments in a folder, ascending. */
export async function listSegments(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names
    .flatMap((name) => (/^\d{10,}\.log$/.test(name) ? [Number.parseInt(name, 10)] : []))
    .sort((a, b) => a - b);
}

export const removeSegment = (folder: string, seq: number): Promise<void> =>
  rm(segmentPath(folder, seq), { force: true });

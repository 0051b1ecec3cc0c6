// The segments on disk, whoever writes them: their names, which are ended for good, and where their Parquet lies.

import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { floorTo, isProcessAlive, type Micros, MICROS_PER_HOUR, MICROS_PER_MINUTE } from '../../core/index.ts';

export type RecordKind = 'predictions' | 'outcomes';

export interface Segment {
  /** Without its ending; the Parquet files made of it have the same name. */
  readonly name: string;
  readonly path: string;
  readonly startMicros: Micros;
  readonly host: string;
  readonly pid: number;
  /** Names one opened log; several segments share it. */
  readonly token: string;
}

export const segmentFolder = (directory: string, kind: RecordKind): string => join(directory, 'segments', kind);
export const parquetFolder = (directory: string, kind: RecordKind): string => join(directory, kind);

const thisHost = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** Logs that this process holds open: its id may have been another's before a restart. */
const ownTokens = new Set<string>();

export function takeToken(): string {
  const token = randomBytes(6).toString('hex');
  ownTokens.add(token);
  return token;
}

export function releaseToken(token: string): void {
  ownTokens.delete(token);
}

export function segmentName(startMicros: Micros, token: string, count: number): string {
  return `${String(startMicros).padStart(17, '0')}-${thisHost}-${process.pid}-${token}-${String(count).padStart(6, '0')}`;
}

/** Segments of a kind, oldest first. */
export async function listSegments(directory: string, kind: RecordKind): Promise<Segment[]> {
  const folder = segmentFolder(directory, kind);
  const files = await namesIn(folder);
  return files.sort().flatMap((file) => {
    const match = /^((\d{17})-([0-9a-f]{8})-(\d+)-([0-9a-f]+)-\d{6})\.ndjson$/.exec(file);
    if (match === null) return [];
    const [, name = '', start, host = '', pid, token = ''] = match;
    return [{ name, path: join(folder, file), startMicros: Number(start), host, pid: Number(pid), token }];
  });
}

/** Parquet files of a kind, oldest hour first. */
export async function listParquet(directory: string, kind: RecordKind): Promise<string[]> {
  const root = parquetFolder(directory, kind);
  const paths: string[] = [];
  for (const date of (await namesIn(root)).filter((name) => name.startsWith('date=')).sort()) {
    for (const hour of (await namesIn(join(root, date))).filter((name) => name.startsWith('hour=')).sort()) {
      const files = (await namesIn(join(root, date, hour))).filter((name) => name.endsWith('.parquet')).sort();
      paths.push(...files.map((file) => join(root, date, hour, file)));
    }
  }
  return paths;
}

// A writer leaves its segment when the hour ends; a flush that began before may still be under way for a while.
const GRACE_MICROS = 10 * MICROS_PER_MINUTE;

/** Whether nothing will be appended to `segment` any more. `all` are the segments of its kind. */
export function isEnded(segment: Segment, all: readonly Segment[], now: Micros): boolean {
  if (now >= floorTo(segment.startMicros, MICROS_PER_HOUR) + MICROS_PER_HOUR + GRACE_MICROS) return true;
  if (all.some(({ token, name }) => token === segment.token && name > segment.name)) return true;
  return segment.host === thisHost && !isWriterAlive(segment);
}

function isWriterAlive({ pid, token }: Segment): boolean {
  return pid === process.pid ? ownTokens.has(token) : isProcessAlive(pid);
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
}

// What lies on disk, whoever writes it: each writer's folder with its segments, and the Parquet files made of them.
//
// segments/WRITER/*.open, *.records        one is appended to, the others are ended for good
// predictions/endpoint=E/schema=S/date=D/hour=H/*.parquet, outcomes/date=D/hour=H/*.parquet, the same under
// unit_outcomes

import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Micros, parseTimestamp } from '../../core/index.ts';

/** `unit_outcomes`: told of a unit and a time, in place of a prediction's id. */
export type RecordKind = 'predictions' | 'outcomes' | 'unit_outcomes';

export interface Segment {
  /** Without its ending; the Parquet files made of it have the same name. */
  readonly name: string;
  readonly path: string;
  /** False while it has the name of one that its writer appends to. */
  readonly isEnded: boolean;
}

export interface WriterFolder {
  readonly path: string;
  /** Oldest first. */
  readonly segments: readonly Segment[];
}

const OPEN = '.open';
const ENDED = '.records';
const WRITER = /^[0-9a-f]{12}$/;

export const segmentsFolder = (directory: string): string => join(directory, 'segments');
export const parquetFolder = (directory: string, kind: RecordKind): string => join(directory, kind);
export const damagedFolder = (directory: string): string => join(directory, 'damaged');
export const temporaryFolder = (directory: string): string => join(directory, 'temporary');

export function segmentName(startMicros: Micros, writer: string, count: number): string {
  return `${String(startMicros).padStart(17, '0')}-${writer}-${String(count).padStart(6, '0')}`;
}

export const openPath = (folder: string, name: string): string => join(folder, `${name}${OPEN}`);
export const endedPath = (folder: string, name: string): string => join(folder, `${name}${ENDED}`);

export async function listWriters(directory: string): Promise<WriterFolder[]> {
  const root = segmentsFolder(directory);
  const writers = (await namesIn(root)).filter((name) => WRITER.test(name)).sort();
  return Promise.all(
    writers.map(async (writer) => {
      const path = join(root, writer);
      const segments = (await namesIn(path)).sort().flatMap((file) => {
        const isEnded = file.endsWith(ENDED);
        if (!isEnded && !file.endsWith(OPEN)) return [];
        return [{ name: basename(file, isEnded ? ENDED : OPEN), path: join(path, file), isEnded }];
      });
      return { path, segments };
    }),
  );
}

export interface ParquetFile {
  readonly path: string;
  /** The name of the segment that it was made of. */
  readonly name: string;
  /** When its hour begins. */
  readonly hour: Micros;
  /** Undefined for files of before there were schemas, and for outcomes. */
  readonly schema?: { readonly endpoint: string; readonly id: string; readonly folder: string };
}

/** Parquet files of a kind, oldest hour first. */
export async function listParquet(directory: string, kind: RecordKind): Promise<ParquetFile[]> {
  const root = parquetFolder(directory, kind);
  const files = await filesByHour(root);
  for (const endpoint of await namesAfter(root, 'endpoint=')) {
    const folder = join(root, `endpoint=${endpoint}`);
    for (const id of await namesAfter(folder, 'schema=')) {
      const schema = { endpoint: decodeURIComponent(endpoint), id, folder: join(folder, `schema=${id}`) };
      files.push(...(await filesByHour(schema.folder)).map((file) => ({ ...file, schema })));
    }
  }
  return files.sort((a, b) => a.hour - b.hour || (a.path < b.path ? -1 : 1));
}

/** Of both kinds, oldest hour first. */
export async function listOutcomes(directory: string): Promise<ParquetFile[]> {
  const files = [...(await listParquet(directory, 'outcomes')), ...(await listParquet(directory, 'unit_outcomes'))];
  return files.sort((a, b) => a.hour - b.hour || (a.path < b.path ? -1 : 1));
}

export function schemaFolder(directory: string, endpoint: string, id: string): string {
  return join(parquetFolder(directory, 'predictions'), `endpoint=${encodeURIComponent(endpoint)}`, `schema=${id}`);
}

/** `date`: such as 2026-11-25; `hour`: such as 07. */
export function hourFolder(folder: string, date: string, hour: string): string {
  return join(folder, `date=${date}`, `hour=${hour}`);
}

async function filesByHour(root: string): Promise<ParquetFile[]> {
  const found: ParquetFile[] = [];
  for (const date of await namesAfter(root, 'date=')) {
    for (const hour of await namesAfter(join(root, `date=${date}`), 'hour=')) {
      const folder = hourFolder(root, date, hour);
      const files = (await namesIn(folder)).filter((name) => name.endsWith('.parquet'));
      for (const file of files) {
        const path = join(folder, file);
        found.push({ path, name: basename(file, '.parquet'), hour: hourOf(path) });
      }
    }
  }
  return found;
}

function hourOf(path: string): Micros {
  const hour = basename(dirname(path)).slice('hour='.length);
  const date = basename(dirname(dirname(path))).slice('date='.length);
  return parseTimestamp(`${date}T${hour}:00:00Z`) ?? 0;
}

async function namesAfter(folder: string, start: string): Promise<string[]> {
  return (await namesIn(folder)).filter((name) => name.startsWith(start)).map((name) => name.slice(start.length));
}

export async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
}

/** For what another process may have renamed or removed meanwhile. */
export function noneIfGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

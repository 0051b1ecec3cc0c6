// The segments of a source on disk, whoever wrote them: listing, reading, and who may still be writing.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isProcessAlive } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { parseFrames } from './frame.ts';
import { decodeBatch, type PushBatch, type PushedRow } from './push-batch.ts';

export interface Segment {
  readonly name: string;
  readonly path: string;
  readonly pid: number;
  /** Names the process's time of life; several segments share it. */
  readonly token: string;
}

/** Segments of a source, oldest first. */
export async function listSegments(directory: string, source: string): Promise<Segment[]> {
  const folder = join(directory, source);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.sort().flatMap((name) => {
    const match = /^\d+-(\d+)-([0-9a-f]+)-\d+\.log$/.exec(name);
    return match === null ? [] : [{ name, path: join(folder, name), pid: Number(match[1]), token: match[2] as string }];
  });
}

export async function* readPayloads(segment: Segment): AsyncGenerator<string> {
  // Segments are of bounded size, so one at a time fits memory; one that retention took away meanwhile is empty.
  const bytes = await readFile(segment.path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  yield* parseFrames(bytes);
}

/** A source's batches, in segment order; the torn tail of a killed process is left out. */
export async function* readBatches(directory: string, source: SourceSpec): AsyncGenerator<PushBatch> {
  for (const segment of await listSegments(directory, source.name)) {
    for await (const payload of readPayloads(segment)) yield decodeBatch(source, payload);
  }
}

/** Every event of a source in the log, each once, in no set order across processes. */
export async function* readPushLog(directory: string, source: SourceSpec): AsyncGenerator<PushedRow> {
  for await (const batch of readBatches(directory, source)) yield* batch.rows;
}

/** Tokens of the logs that this process holds open: its id may have been another's before a restart. */
export const ownTokens = new Set<string>();

/** Whether the log opened as `token` by process `pid` may still be writing. */
export function isAlive({ pid, token }: { readonly pid: number; readonly token: string }): boolean {
  return pid === process.pid ? ownTokens.has(token) : isProcessAlive(pid);
}

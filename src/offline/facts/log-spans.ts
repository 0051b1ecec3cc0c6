// Many writers that have ended as few files: each command that pushes is a writer of its own, and its log never grows
// again. A span holds the rows of a source of consecutive ended writers, as log-cache keeps those of one.

import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { contentHash } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { WriterRow } from '../../events/index.ts';
import { queryWork } from '../sources/source-errors.ts';
import { isWorthMerging, type LogCacheDeps, logFiles, sourceFolder, writerName } from './log-cache.ts';
import { copyFiles, countRows, writeWhole } from './write-parquet.ts';

/** All rows of some writers that were not removed, in the writers' order. */
export interface LogSpan {
  readonly writers: readonly WriterRow[];
  readonly files: readonly { readonly path: string; readonly rows: number }[];
}

/**
 * The rows of writers that have ended, ascending and of those that are read none left out between them, nor of those that
 * were removed whole. Neighbours with few rows become one file when `isKept`; it is not worth it for a choice of writers
 * that hardly comes again.
 */
export async function endedSpans(
  deps: LogCacheDeps,
  source: SourceSpec,
  writers: readonly WriterRow[],
  isKept: boolean,
): Promise<readonly LogSpan[]> {
  const directory = join(sourceFolder(deps, source), SPANS_FOLDER);
  const stored = byFirst(await listSpans(directory));
  const spans: LogSpan[] = [];
  const inWork = <T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> =>
    queryWork(
      `source "${source.name}": its log in ${directory} cannot be written`,
      'HR_SOURCE_UNREADABLE',
      async () => {
        const connection = await deps.duckdb.connect();
        try {
          return await work(connection);
        } finally {
          connection.closeSync();
        }
      },
    );
  for (let at = 0; at < writers.length; ) {
    const first = writers[at] as WriterRow;
    const found = widest(stored.get(first.number) ?? [], writers, at);
    const span: LogSpan =
      found === undefined
        ? { writers: [first], files: await logFiles(deps, source, first, first.shipped) }
        : found.isCurrent
          ? { writers: found.members, files: [found.stored] }
          : await inWork((connection) => writeRest(connection, directory, found));
    spans.push(span);
    at += span.writers.length;
  }
  if (!isKept) return spans;
  const merged = mergedSpans(spans);
  if (merged.length === spans.length) return spans;
  await mkdir(directory, { recursive: true });
  return await inWork((connection) =>
    Promise.all(
      merged.map(async (members): Promise<LogSpan> => {
        if (members.length === 1) return members[0] as LogSpan;
        const all = members.flatMap((span) => span.writers);
        const files = members.flatMap((span) => span.files);
        const rows = rowsOf(files);
        const path = join(directory, spanName(all, rows));
        await writeWhole(connection, copyFiles(files.map((file) => file.path)), path);
        return { writers: all, files: [{ path, rows }] };
      }),
    ),
  );
}

export const SPANS_FOLDER = 'ended';

export interface StoredSpan {
  readonly path: string;
  readonly first: number;
  readonly last: number;
  readonly hash: string;
  /** Of what was removed of its writers before it was written. */
  readonly removed: string;
  readonly rows: number;
}

/** None where there is no such folder. */
export async function listSpans(directory: string): Promise<StoredSpan[]> {
  return (await readdir(directory).catch(() => [])).flatMap((name): StoredSpan[] => {
    const [, first, last, hash = '', removed, rows] = SPAN_NAME.exec(name) ?? [];
    if (rows === undefined) return [];
    const numbers = { first: Number(first), last: Number(last), rows: Number(rows) };
    return [{ path: join(directory, name), ...numbers, hash, removed: removed ?? '' }];
  });
}

const SPAN_NAME = /^(\d+)-(\d+)-([0-9a-f]{16})(?:-r([0-9a-f]{8}))?-(\d+)\.parquet$/;

function spanName(writers: readonly WriterRow[], rows: number): string {
  const removed = removedOf(writers);
  const without = removed === '' ? '' : `-r${removed}`;
  return `${writers[0]?.number}-${writers.at(-1)?.number}-${hashOf(writers)}${without}-${rows}.parquet`;
}

/** Of which writers it is, exactly: the same numbers may be another registry's. */
export const hashOf = (writers: readonly WriterRow[]): string => contentHash(writers.map(writerName)).slice(0, 16);

export function removedOf(writers: readonly WriterRow[]): string {
  if (writers.every(({ removed }) => removed === 0)) return '';
  return contentHash(writers.map(({ removed }) => removed)).slice(0, 8);
}

function byFirst(spans: readonly StoredSpan[]): ReadonlyMap<number, readonly StoredSpan[]> {
  const found = new Map<number, StoredSpan[]>();
  for (const span of spans) found.set(span.first, [...(found.get(span.first) ?? []), span]);
  // The widest first; of those of the same writers the one that holds most, for it is right for whoever asks.
  for (const all of found.values()) all.sort((a, b) => b.last - a.last || b.rows - a.rows);
  return found;
}

interface FoundSpan {
  readonly stored: StoredSpan;
  readonly members: readonly WriterRow[];
  /** Whether it was written after what is removed by now. */
  readonly isCurrent: boolean;
}

function widest(stored: readonly StoredSpan[], writers: readonly WriterRow[], at: number): FoundSpan | undefined {
  for (const one of stored) {
    const end = writers.findIndex(({ number }) => number === one.last);
    const members = writers.slice(at, end + 1);
    if (members.length === 0 || hashOf(members) !== one.hash) continue;
    const removed = removedOf(members);
    const current = stored.find((other) => other.hash === one.hash && other.removed === removed);
    return { stored: current ?? one, members, isCurrent: current !== undefined };
  }
  return undefined;
}

async function writeRest(
  connection: DuckDBConnection,
  directory: string,
  { stored, members }: FoundSpan,
): Promise<LogSpan> {
  const cases = members.flatMap(({ number, removed }) => (removed > 0 ? [`WHEN ${number} THEN ${removed}`] : []));
  const sql = `${copyFiles([stored.path])} WHERE __hr_cut > CASE __hr_writer ${cases.join(' ')} ELSE 0 END`;
  const rows = await countRows(connection, sql);
  const path = await writeWhole(connection, sql, join(directory, spanName(members, rows)));
  return { writers: members, files: [{ path, rows }] };
}

const rowsOf = (files: LogSpan['files']): number => files.reduce((sum, { rows }) => sum + rows, 0);

/** Neighbours that are to be one. */
function mergedSpans(spans: readonly LogSpan[]): LogSpan[][] {
  const stack: { members: LogSpan[]; rows: number }[] = [];
  for (const span of spans) {
    stack.push({ members: [span], rows: rowsOf(span.files) });
    for (;;) {
      const [older, newer] = stack.slice(-2);
      if (older === undefined || newer === undefined || !isWorthMerging(older.rows, newer.rows)) break;
      stack.splice(-2, 2, { members: [...older.members, ...newer.members], rows: older.rows + newer.rows });
    }
  }
  return stack.map(({ members }) => members);
}

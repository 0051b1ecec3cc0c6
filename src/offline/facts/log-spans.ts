// Many writers that have ended as few files: each command that pushes is a writer of its own, and its log never grows
// again. A span holds the rows of a source of consecutive ended writers, as log-cache keeps those of one.

import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { contentHash } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { WriterRow } from '../../events/index.ts';
import { queryWork } from '../sources/source-errors.ts';
import { isWorthMerging, type LogCacheDeps, logFiles, REPLACED_FOR_MS, sourceFolder, writerName } from './log-cache.ts';
import { copyFiles, writeWhole } from './write-parquet.ts';

/** All rows of some writers, in the writers' order. */
export interface LogSpan {
  readonly writers: readonly WriterRow[];
  readonly files: readonly { readonly path: string; readonly rows: number }[];
}

/**
 * The rows of writers that have ended, ascending and of those that are read none left out between them. Neighbours with few
 * rows become one file when `isKept`; it is not worth it for a choice of writers that hardly comes again.
 */
export async function endedSpans(
  deps: LogCacheDeps,
  source: SourceSpec,
  writers: readonly WriterRow[],
  isKept: boolean,
): Promise<readonly LogSpan[]> {
  const directory = join(sourceFolder(deps, source), 'ended');
  const stored = await storedSpans(directory);
  const spans: LogSpan[] = [];
  for (let at = 0; at < writers.length; ) {
    const first = writers[at] as WriterRow;
    const span =
      widest(stored.get(first.number) ?? [], writers, at) ??
      ({ writers: [first], files: await logFiles(deps, source, first, first.shipped) } satisfies LogSpan);
    spans.push(span);
    at += span.writers.length;
  }
  if (!isKept) return spans;
  const merged = mergedSpans(spans);
  if (merged.length === spans.length) return spans;
  await mkdir(directory, { recursive: true });
  const connection = await deps.duckdb.connect();
  try {
    const what = `source "${source.name}": its log in ${directory} cannot be written`;
    return await queryWork(what, 'HR_SOURCE_UNREADABLE', () =>
      Promise.all(
        merged.map(async (members): Promise<LogSpan> => {
          if (members.length === 1) return members[0] as LogSpan;
          const all = members.flatMap((span) => span.writers);
          const files = members.flatMap((span) => span.files);
          const rows = rowsOf(files);
          const path = await writeWhole(
            connection,
            copyFiles(files.map((file) => file.path)),
            join(directory, spanName(all, rows)),
          );
          await removeReplaced(deps, source, members);
          return { writers: all, files: [{ path, rows }] };
        }),
      ),
    );
  } finally {
    connection.closeSync();
  }
}

interface StoredSpan {
  readonly path: string;
  readonly last: number;
  readonly hash: string;
  readonly rows: number;
}

function spanName(writers: readonly WriterRow[], rows: number): string {
  return `${writers[0]?.number}-${writers.at(-1)?.number}-${hashOf(writers)}-${rows}.parquet`;
}

// Of which writers it is, exactly: the same numbers may be another registry's.
const hashOf = (writers: readonly WriterRow[]): string => contentHash(writers.map(writerName)).slice(0, 16);

/** By the first writer's number, the widest first. */
async function storedSpans(directory: string): Promise<ReadonlyMap<number, readonly StoredSpan[]>> {
  const found = new Map<number, StoredSpan[]>();
  for (const name of await readdir(directory).catch(() => [])) {
    const [, first, last, hash, rows] = /^(\d+)-(\d+)-([0-9a-f]{16})-(\d+)\.parquet$/.exec(name) ?? [];
    if (first === undefined || hash === undefined) continue;
    const spans = found.get(Number(first)) ?? [];
    spans.push({ path: join(directory, name), last: Number(last), hash, rows: Number(rows) });
    found.set(Number(first), spans);
  }
  for (const spans of found.values()) spans.sort((a, b) => b.last - a.last);
  return found;
}

function widest(stored: readonly StoredSpan[], writers: readonly WriterRow[], at: number): LogSpan | undefined {
  for (const { path, last, hash, rows } of stored) {
    const end = writers.findIndex(({ number }) => number === last);
    const members = writers.slice(at, end + 1);
    if (members.length > 0 && hashOf(members) === hash) return { writers: members, files: [{ path, rows }] };
  }
  return undefined;
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

// What an older span took the place of has been left alone for as long as anyone may have been reading it.
async function removeReplaced(deps: LogCacheDeps, source: SourceSpec, members: readonly LogSpan[]): Promise<void> {
  const paths = members.flatMap((span) =>
    span.writers.length === 1
      ? []
      : [
          ...span.files.map(({ path }) => path),
          ...span.writers.map((one) => join(sourceFolder(deps, source), writerName(one))),
        ],
  );
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > REPLACED_FOR_MS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

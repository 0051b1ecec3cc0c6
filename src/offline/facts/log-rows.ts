// The log's rows of a source between two coverages, as raw rows over the cached Parquet files.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { EventLog, WriterRow } from '../../events/index.ts';
import { type Coverage, coveredCut, NOTHING_COVERED } from '../../online/index.ts';
import { quoteName, quoteText } from '../../storage/index.ts';
import type { FactsDeps } from './facts.ts';
import { columnName, type LogFile, logFiles, PLACE_COLUMNS, sourceFolder } from './log-cache.ts';
import { endedSpans } from './log-spans.ts';
import { FIRST_LOG_ROW } from './raw-rows.ts';
import { tidySourceFolder } from './tidy-log-cache.ts';
import { countRows } from './write-parquet.ts';

export interface RawLogRows {
  /** The columns of FileRows; `__hr_row` counts on from FIRST_LOG_ROW by (writer, offset). Undefined where there is none. */
  readonly relation: string | undefined;
  readonly rows: number;
  readonly writers: readonly WriterPart[];
  /** `to` as far as there is something of it, said in few words. */
  readonly coverage: Coverage;
  /** What of it was removed, likewise; null for nothing. */
  readonly removed: Coverage | null;
}

export const NO_LOG_ROWS: RawLogRows = {
  relation: undefined,
  rows: 0,
  writers: [],
  coverage: NOTHING_COVERED,
  removed: null,
};

/** What is read of a writer: the cuts after one up to another. */
interface WriterPart {
  readonly writer: WriterRow;
  readonly after: number;
  readonly last: number;
}

/** All that every machine can read of the log now. */
export async function readableCoverage(log: EventLog | undefined): Promise<Coverage> {
  const writers = (await log?.writers()) ?? [];
  return { floor: 0, cuts: new Map(writers.map(({ number, shipped }) => [number, shipped])) };
}

/**
 * What `to` covers and `from` doesn't, without removed cuts. Throws HR_LOG_DAMAGED where the log ends before `to`, and
 * whatever reading the log throws.
 */
export async function rawLogRows(
  connection: DuckDBConnection,
  source: SourceSpec,
  { log, duckdb, dataDirectory }: FactsDeps,
  to: Coverage,
  from: Coverage = NOTHING_COVERED,
): Promise<RawLogRows> {
  if (log === undefined) return NO_LOG_ROWS;
  const cache = { log, duckdb, dataDirectory };
  const all = (await log.writers()).toSorted((a, b) => a.number - b.number);
  const writers = partsOf(all, to, from);
  const removedOf = ({ number, removed }: WriterRow) => Math.min(removed, coveredCut(to, number));
  const whole: { path: string; before: number }[] = [];
  const cutOff: string[] = [];
  let rows = 0;
  for (let at = 0; at < writers.length; ) {
    const ended = endedFrom(writers, at);
    for (const { files } of await endedSpans(cache, source, ended, from === NOTHING_COVERED)) {
      for (const file of files) {
        if (file.rows > 0) whole.push({ path: file.path, before: rows });
        rows += file.rows;
      }
    }
    at += ended.length;
    if (at === writers.length || ended.length > 0) continue;
    const { writer, after, last } = writers[at++] as WriterPart;
    for (const file of await logFiles(cache, source, writer, last)) {
      if (file.rows === 0 || file.to <= after) continue;
      if (file.from > after && file.to <= last) {
        whole.push({ path: file.path, before: rows });
        rows += file.rows;
        continue;
      }
      const counts = `__hr_cut > ${after} AND __hr_cut <= ${last}`;
      const size = await countRows(connection, `FROM read_parquet(${quoteText(file.path)}) WHERE ${counts}`);
      if (size > 0) cutOff.push(cutOffSql(source, file, counts, rows));
      rows += size;
    }
  }
  // What can't be deleted now is by the next to come this way.
  if (from === NOTHING_COVERED) await tidySourceFolder(sourceFolder(cache, source), all).catch(() => {});
  const parts = [...(whole.length === 0 ? [] : [wholeSql(source, whole)]), ...cutOff];
  return {
    relation: parts.length === 0 ? undefined : `(${parts.join(' UNION ALL ')})`,
    rows,
    writers: writers.filter(({ after, last }) => after < last),
    coverage: shortened(all, (writer) => coveredCut(to, writer.number)),
    removed: all.some((writer) => removedOf(writer) > 0) ? shortened(all, removedOf) : null,
  };
}

/** Ascending; those of which nothing is read are left out, but for what was removed whole: it may lie in a span. */
function partsOf(all: readonly WriterRow[], to: Coverage, from: Coverage): WriterPart[] {
  const known = new Set(all.map(({ number }) => number));
  for (const [writer, cut] of to.cuts) if (cut > 0 && !known.has(writer)) throw tooShort(writer, cut, 0);
  return all.flatMap((writer): WriterPart[] => {
    const covered = coveredCut(to, writer.number);
    const last = covered === Infinity ? writer.shipped : covered;
    const known = coveredCut(from, writer.number);
    if (last > writer.shipped) throw tooShort(writer.number, last, writer.shipped);
    const part = { writer, after: Math.max(known, writer.removed), last };
    return known >= last || (part.after >= last && !isWhole(part)) ? [] : [part];
  });
}

/** Whether the writer has ended and all is read of it that was not removed. */
const isWhole = ({ writer, after, last }: WriterPart): boolean =>
  writer.state === 'ended' && after === writer.removed && last === writer.shipped;

/** The writers that have ended and are covered whole, up to the first that is not, are below the floor. */
function shortened(all: readonly WriterRow[], cutOf: (writer: WriterRow) => number): Coverage {
  const covered = (writer: WriterRow) => Math.min(cutOf(writer), writer.shipped);
  const standing = all.findIndex((writer) => writer.state !== 'ended' || covered(writer) < writer.shipped);
  const above = standing === -1 ? [] : all.slice(standing).filter((writer) => covered(writer) > 0);
  const floor = standing === -1 ? (all.at(-1)?.number ?? 0) + 1 : (all[standing]?.number ?? 0);
  return { floor, cuts: new Map(above.map((writer) => [writer.number, covered(writer)])) };
}

/** The writers from `at` on that have ended and are read whole. */
function endedFrom(writers: readonly WriterPart[], at: number): WriterRow[] {
  const end = writers.findIndex((part, i) => i >= at && !isWhole(part));
  return writers.slice(at, end === -1 ? undefined : end).map(({ writer }) => writer);
}

// A file's rows lie by cut and offset, so they are numbered as they come.
function wholeSql(source: SourceSpec, files: readonly { readonly path: string; readonly before: number }[]): string {
  const before = `[${files.map((one) => FIRST_LOG_ROW + one.before).join(', ')}][CAST(file_index AS BIGINT) + 1]`;
  const from = `read_parquet([${files.map(({ path }) => quoteText(path)).join(', ')}])`;
  return `SELECT ${columnsSql(source, `${before} + file_row_number`)} FROM ${from}`;
}

// Those of a file that count lie together.
function cutOffSql(source: SourceSpec, { path }: LogFile, counts: string, before: number): string {
  const from = `read_parquet(${quoteText(path)})`;
  const first = `(SELECT min(file_row_number) FROM ${from} WHERE ${counts})`;
  return `SELECT ${columnsSql(source, `${FIRST_LOG_ROW + before} + file_row_number - ${first}`)} FROM ${from} WHERE ${counts}`;
}

function columnsSql(source: SourceSpec, row: string): string {
  const declared = source.columns.map(({ name }, i) => `${columnName(source, i)} AS ${quoteName(name)}`);
  const numbers = [`CAST(${row} AS BIGINT) AS __hr_row`, 'CAST(NULL AS INTEGER) AS __hr_file'];
  return [...declared, ...numbers, ...PLACE_COLUMNS].join(', ');
}

function tooShort(writer: number, wanted: number, shipped: number): HeadraceError {
  return new HeadraceError(
    'HR_LOG_DAMAGED',
    `the log of writer ${writer} is wanted up to cut ${wanted}, and the registry has it up to ${shipped}. ` +
      'Is this the registry that it was written with?',
  );
}

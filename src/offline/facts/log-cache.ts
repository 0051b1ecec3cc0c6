// A source's part of the log as Parquet files beside the other offline data: a shipped cut never changes, so its JSON is
// read once. A file holds a writer's cuts from one to another; small ones are merged as they get old, and one that begins
// with removed cuts is written again without them.

import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { contentHash, type DataType, type Value } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { EventLog, WriterRow } from '../../events/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import { createRowAppender, type RowAppender } from '../duckdb/row-appender.ts';
import { queryWork } from '../sources/source-errors.ts';
import { duckType } from '../sources/sql-text.ts';
import { lostText } from './unconverted.ts';
import { copyFiles, countRows, writeWhole } from './write-parquet.ts';

/** Columns: `c0`, `c1`, … as declared, and PLACE_COLUMNS; rows by offset. */
export interface LogFile {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

export interface LogCacheDeps {
  readonly log: EventLog;
  readonly duckdb: DuckDb;
  readonly dataDirectory: string;
}

/**
 * Files that together hold the writer's cuts from the first that was not removed to `to`, in order; the last one may go
 * further.
 */
export async function logFiles(
  deps: LogCacheDeps,
  source: SourceSpec,
  writer: WriterRow,
  to: number,
): Promise<readonly LogFile[]> {
  const { removed } = writer;
  if (to <= removed) return [];
  const directory = join(sourceFolder(deps, source), writerName(writer));
  await mkdir(directory, { recursive: true });
  const files = await listFiles(directory);
  const found = chain(files, removed + 1);
  const next = (found.at(-1)?.to ?? removed) + 1;
  if (next > to) {
    const last = found.findIndex((file) => file.to >= to);
    return found.slice(0, last + 1);
  }
  const connection = await deps.duckdb.connect();
  try {
    const what = `source "${source.name}": its log in ${directory} cannot be written`;
    return await queryWork(what, 'HR_SOURCE_UNREADABLE', async () => {
      const straddling = next === removed + 1 ? longest(files.filter((file) => isAcross(file, removed))) : undefined;
      if (straddling !== undefined) {
        await writeRest(connection, straddling, removed, directory);
        // What follows that file is there too.
        return await logFiles(deps, source, writer, to);
      }
      const added = await convert(connection, deps.log, source, writer.number, next, to, directory);
      return await merge(connection, directory, [...found, ...added]);
    });
  } finally {
    connection.closeSync();
  }
}

/** Rows are decoded by the source's columns: with others they are decoded anew, and where files of another build lie. */
export function sourceFolder({ dataDirectory }: LogCacheDeps, { name, columns }: SourceSpec): string {
  const decodedBy = [LAYOUT, ...columns.map((column) => [column.name, column.type])];
  const hash = contentHash(decodedBy).slice(0, 12);
  return join(dataDirectory, 'log', `${name}-${hash}`);
}

/** Rises with every change of what the files hold besides. */
const LAYOUT = 3;

export const writerName = ({ number, token }: WriterRow): string => `${number}-${token}`;

const fileName = ({ from, to, rows }: Omit<LogFile, 'path'>): string => `${from}-${to}-${rows}.parquet`;

/** All that hold a writer's rows, those that others took the place of too. */
export async function listFiles(directory: string): Promise<LogFile[]> {
  return (await readdir(directory)).flatMap((name): LogFile[] => {
    const [, from, to, rows] = /^(\d+)-(\d+)-(\d+)\.parquet$/.exec(name) ?? [];
    return rows === undefined
      ? []
      : [{ path: join(directory, name), from: Number(from), to: Number(to), rows: Number(rows) }];
  });
}

/** From a cut on without a gap, by the longest files. */
function chain(files: readonly LogFile[], first: number): LogFile[] {
  const found: LogFile[] = [];
  for (let next = first; ; ) {
    const file = longest(files.filter(({ from }) => from === next));
    if (file === undefined) return found;
    found.push(file);
    next = file.to + 1;
  }
}

function longest(files: readonly LogFile[]): LogFile | undefined {
  return files.reduce<LogFile | undefined>(
    (best, file) => (best === undefined || file.to > best.to ? file : best),
    undefined,
  );
}

/** Whether it holds removed cuts and others. */
const isAcross = ({ from, to }: LogFile, removed: number): boolean => from <= removed && to > removed;

async function writeRest(
  connection: DuckDBConnection,
  file: LogFile,
  removed: number,
  directory: string,
): Promise<void> {
  const sql = `${copyFiles([file.path])} WHERE __hr_cut > ${removed}`;
  const rest = { from: removed + 1, to: file.to, rows: await countRows(connection, sql) };
  await writeWhole(connection, sql, join(directory, fileName(rest)));
}

/** A file ends at the end of a cut; beyond so many rows the next one is begun. */
const ROWS_PER_PART = 4_000_000;
const TABLE = '__hr_log_part';

async function convert(
  connection: DuckDBConnection,
  log: EventLog,
  source: SourceSpec,
  writer: number,
  from: number,
  to: number,
  directory: string,
): Promise<LogFile[]> {
  const types: DataType[] = [...source.columns.map(({ type }) => type), ...PLACE_TYPES];
  const columns = types.map((type, i) => `${columnName(source, i)} ${duckType(type)}`);
  const files: LogFile[] = [];
  let part = { from, rows: 0 };
  let rows: RowAppender | undefined;
  const begin = async () => {
    await connection.run(`CREATE OR REPLACE TEMP TABLE ${TABLE} (${columns.join(', ')})`);
    rows = await createRowAppender(connection, TABLE, types);
  };
  const end = async (last: number) => {
    rows?.close();
    const file = { from: part.from, to: last, rows: part.rows };
    files.push({ ...file, path: await writeWhole(connection, `FROM ${TABLE}`, join(directory, fileName(file))) });
    await connection.run(`DROP TABLE ${TABLE}`);
    part = { from: last + 1, rows: 0 };
  };
  await begin();
  let cut = from;
  for await (const entry of log.read(writer, from, to, source.name)) {
    if (entry.cut !== cut) {
      if (part.rows >= ROWS_PER_PART) {
        await end(entry.cut - 1);
        await begin();
      }
      cut = entry.cut;
    }
    entry.rows(source).forEach(({ row, knownMicros, lost }, i) => {
      const values: Value[] = source.columns.map(({ name }) => row[name] ?? null);
      const logged = BigInt(knownMicros);
      const released = entry.isPutBack === true ? logged : null;
      values.push(writer, entry.cut, BigInt(entry.offset + i), logged, released, lostText(source, lost));
      rows?.add(values);
    });
    part.rows += entry.count;
  }
  await end(to);
  return files;
}

/** The log's own: where a row lies in it, when it came and was released, and what reading it lost (`lostText`). */
export const PLACE_COLUMNS: readonly string[] = [
  '__hr_writer',
  '__hr_cut',
  '__hr_offset',
  '__hr_logged',
  '__hr_released',
  '__hr_lost',
];
const PLACE_TYPES: readonly DataType[] = (['int32', 'int32', 'int64', 'int64', 'int64', 'string'] as const).map(
  (kind) => ({ kind }),
);

/** Names of our own, so that no column of the user's stands in for one of DuckDB's virtual ones. */
export function columnName(source: SourceSpec, index: number): string {
  return index < source.columns.length ? `c${index}` : (PLACE_COLUMNS[index - source.columns.length] as string);
}

async function merge(connection: DuckDBConnection, directory: string, files: readonly LogFile[]): Promise<LogFile[]> {
  const merged = [...files];
  for (;;) {
    const [older, newer] = merged.slice(-2);
    if (older === undefined || newer === undefined || !isWorthMerging(older.rows, newer.rows)) break;
    const file = { from: older.from, to: newer.to, rows: older.rows + newer.rows };
    const sql = copyFiles([older, newer].map(({ path }) => path));
    const path = await writeWhole(connection, sql, join(directory, fileName(file)));
    merged.splice(-2, 2, { ...file, path });
  }
  return merged;
}

/** Older rows are left alone once they are twice as many as all that came after: so there are few files, and few copies. */
export const isWorthMerging = (older: number, newer: number): boolean =>
  older <= 2 * newer + 1000 && older + newer <= ROWS_PER_PART;

// The rows of a source's files as they lie there: no cast, no rule, no file left out. DuckDB decodes CSV and Parquet; what a cell
// means is `readCell`'s to say.

import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { type DataType, INVALID, type Row, type Value } from '../../core/index.ts';
import { knownColumn, type SourceSpec } from '../../definitions/index.ts';
import { quoteName, quoteText } from '../../storage/index.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import type { FileNames, PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import { valuesOfFolders } from './folder-times.ts';
import { readCell } from './read-cell.ts';

/** A row of a file, of which each column is read when it is asked for. */
export interface RawRow {
  /** The file's own path. */
  readonly file: string;
  /** From 1. */
  readonly number: number;
  /** A declared column's value. INVALID: the cell holds none of the column's type. */
  cell(column: string): Value | typeof INVALID;
  /** The cell as text, for an error. */
  shown(column: string): string;
}

/** Rows of a file come in its own order; each is valid until the next is asked for. */
export async function* rawRows(
  connection: DuckDBConnection,
  source: SourceSpec,
  snapshot: PinnedSnapshot,
): AsyncGenerator<RawRow> {
  for (const [i, { path }] of snapshot.files.entries()) {
    const at = snapshot.paths[i] as string;
    yield* rowsOfFile(
      connection,
      source,
      snapshot.format === 'csv' ? csv(path, at) : parquet(at),
      path,
      snapshot.names?.[i],
    );
  }
}

async function* rowsOfFile(
  connection: DuckDBConnection,
  source: SourceSpec,
  from: string,
  file: string,
  names: FileNames | undefined,
): AsyncGenerator<RawRow> {
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`);
  const types = new Map(described.getRows().map(([name, type]) => [String(name).toLowerCase(), String(type)]));
  const folders = valuesOfFolders(file);
  const selected: string[] = [];
  const foundOf = new Map<string, string>();
  const readers = new Map<string, (row: number) => DuckDBValue>();
  const vectors: { getItem(row: number): DuckDBValue }[] = [];
  for (const { name, type } of source.columns) {
    const known = names?.get(name.toLowerCase());
    const inFile = known === undefined ? name : known;
    const found = inFile === null ? undefined : types.get(inFile.toLowerCase());
    if (found === undefined) {
      // A folder's value, or a column that a lake's file lacks.
      const value = folders.get(name.toLowerCase()) ?? null;
      readers.set(name, () => value);
      continue;
    }
    foundOf.set(name, found);
    const at = selected.push(rawColumn(inFile as string, found, type)) - 1;
    readers.set(name, (row) => vectors[at]?.getItem(row) ?? null);
  }
  const stream = await connection.stream(`SELECT ${selected.length === 0 ? '1' : selected.join(', ')} FROM ${from}`);
  const typeOf = new Map(source.columns.map(({ name, type }) => [name, type]));
  const times = new Set([source.eventTime, knownColumn(source)]);
  let before = 0;
  for await (const chunk of readAhead(stream)) {
    for (let i = 0; i < selected.length; i++) vectors[i] = chunk.getColumnVector(i);
    for (let row = 0; row < chunk.rowCount; row++) {
      const raw = (column: string): DuckDBValue => readers.get(column)?.(row) ?? null;
      yield {
        file,
        number: before + row + 1,
        // A row whose time is far off matches nothing, and is no mistake.
        cell: (column) =>
          readCell(
            typeOf.get(column) as DataType,
            raw(column),
            foundOf.get(column) ?? 'VARCHAR',
            times.has(column) ? 'null' : 'refused',
          ),
        shown: (column) => JSON.stringify(String(raw(column)).slice(0, 100)),
      };
    }
    before += chunk.rowCount;
  }
}

/** SQL of a column as it lies there, `found` its type in DuckDB; a text of a list is split into its items' texts. */
export function rawColumn(name: string, found: string, type: DataType): string {
  let [depth, item] = [0, type];
  for (; item.kind === 'list'; item = item.of) depth++;
  if (item.kind === 'vector') depth++;
  const column = quoteName(name);
  return found === 'VARCHAR' && depth > 0 ? `CAST(${column} AS VARCHAR${'[]'.repeat(depth)})` : column;
}

const parquet = (path: string): string => `read_parquet([${quoteText(path)}], hive_partitioning = false)`;

/** An unquoted empty field is null; a quoted one is the empty text. */
function csv(name: string, path: string): string {
  const compression = /\.gz$/i.test(name) ? 'gzip' : /\.zst$/i.test(name) ? 'zstd' : 'none';
  return `read_csv(${quoteText(path)}, header = true, all_varchar = true, allow_quoted_nulls = false, nullstr = '', compression = '${compression}', hive_partitioning = false)`;
}

/** All declared columns; undefined where one holds no value of its type: `onBad` is called with the column. */
export function wholeRow(
  source: SourceSpec,
  raw: RawRow,
  onBad: (column: SourceSpec['columns'][number]) => void,
): Row | undefined {
  const row: Record<string, Value> = {};
  let isWhole = true;
  for (const column of source.columns) {
    const value = raw.cell(column.name);
    if (value === INVALID) {
      onBad(column);
      isWhole = false;
    } else row[column.name] = value;
  }
  return isWhole ? row : undefined;
}

// Columns of Parquet and CSV files, on disk or in S3, as DuckDB finds them.

import type { DataType } from '../../core/index.ts';
import type { PartitionUnit } from '../../definitions/index.ts';
import { quoteText } from '../../storage/index.ts';
import { compressionOf } from '../facts/csv-rows.ts';
import { pathValues, timesInPath } from '../sources/path-partitions.ts';
import { pinPath } from '../sources/pin-path.ts';
import { readPinned } from '../sources/pinned-snapshot.ts';
import type { PlaceDeps } from '../sources/source-deps.ts';
import type { InspectedColumn } from './inspected.ts';

/** Files of one place are alike: so many of them are opened. */
const MOST_FILES = 20;

export interface InspectedFiles {
  readonly columns: readonly InspectedColumn[];
  readonly partitions?: Readonly<Record<string, PartitionUnit>>;
  readonly notes: readonly string[];
}

/** `path` as a source has it. Errors as the reading of such a source has them. */
export async function inspectFiles(
  format: 'parquet' | 'csv',
  path: string,
  directory: string,
  deps: PlaceDeps,
): Promise<InspectedFiles> {
  const pinned = await pinPath({ path, directory, format, owner: path }, deps);
  const connection = await deps.duckdb.connect();
  try {
    // The newest are last, where names hold dates: of them come columns that were added.
    const paths = pinned.paths.slice(-MOST_FILES);
    const list = `[${paths.map(quoteText).join(', ')}]`;
    // Files of one place are of one kind.
    const newest = pinned.files.at(-1)?.path ?? '';
    const from =
      format === 'csv'
        ? `read_csv(${list}, header = true, hive_partitioning = false, compression = '${compressionOf(newest)}')`
        : `read_parquet(${list}, union_by_name = true, hive_partitioning = false)`;
    const described = await readPinned([pinned], `${path} cannot be read`, () =>
      connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`),
    );
    const columns = described.getRows().map(([name, type]): InspectedColumn => {
      const text = String(type);
      return { name: String(name), type: text, suggested: typeOfDuck(text) };
    });
    const left = pinned.paths.length - paths.length;
    const partitions = timesInPath(newest);
    const notes = left === 0 ? [] : [`${left} more files were not looked into.`];
    return {
      columns: [...columns, ...columnsInPath(newest, columns)],
      ...(Object.keys(partitions).length > 0 && { partitions }),
      notes,
    };
  } finally {
    connection.closeSync();
    await pinned.close();
  }
}

/** Folders that the files have no column of: `region=north/`. What they are called is text. */
function columnsInPath(path: string, columns: readonly InspectedColumn[]): readonly InspectedColumn[] {
  const known = new Set(columns.map(({ name }) => name.toLowerCase()));
  return [...pathValues(path).keys()]
    .filter((name) => !known.has(name))
    .map((name) => ({ name, type: 'folder', suggested: { kind: 'string' } }));
}

/** What a column of DuckDB's type is best declared as. */
export function typeOfDuck(type: string): DataType | undefined {
  const known = PLAIN[type];
  if (known !== undefined) return known;
  const vector = /^FLOAT\[(\d+)\]$/.exec(type);
  if (vector !== null) return { kind: 'vector', size: Number(vector[1]) };
  if (type.endsWith('[]')) {
    const of = typeOfDuck(type.slice(0, -2));
    return of === undefined ? undefined : { kind: 'list', of };
  }
  // A DECIMAL without digits behind the point is a whole number.
  const [, precision, scale] = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type) ?? [];
  if (precision !== undefined)
    return Number(scale) === 0 && Number(precision) <= 18 ? { kind: 'int64' } : { kind: 'float64' };
  if (type.startsWith('ENUM')) return { kind: 'string' };
  return type.startsWith('TIMESTAMP') ? { kind: 'timestamp' } : undefined;
}

const PLAIN: Readonly<Record<string, DataType>> = {
  BOOLEAN: { kind: 'bool' },
  TINYINT: { kind: 'int32' },
  SMALLINT: { kind: 'int32' },
  INTEGER: { kind: 'int32' },
  UTINYINT: { kind: 'int32' },
  USMALLINT: { kind: 'int32' },
  UINTEGER: { kind: 'int64' },
  BIGINT: { kind: 'int64' },
  UBIGINT: { kind: 'int64' },
  FLOAT: { kind: 'float32' },
  DOUBLE: { kind: 'float64' },
  VARCHAR: { kind: 'string' },
  UUID: { kind: 'string' },
  JSON: { kind: 'string' },
  BLOB: { kind: 'bytes' },
  DATE: { kind: 'timestamp' },
};

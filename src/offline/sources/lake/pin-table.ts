// Pins a table of a lake at a snapshot. Where its files' rows are the table's, the files themselves are pinned, so that a
// later run reads only those that are new; else the snapshot's rows are landed.

import type { DuckDBConnection } from '@duckdb/node-api';
import { sha256Hex } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import { castColumn, columnsOf, MOST_FILES } from '../../facts/raw-rows.ts';
import { type EventRange } from '../event-range.ts';
import { landQuery } from '../landed/land-query.ts';
import { inRange } from '../parquet/with-footers.ts';
import { pinFiles } from '../files/pin-files.ts';
import { pinPaths } from '../pin-path.ts';
import type { FileNames, PinnedSnapshot } from '../pinned-snapshot.ts';
import type { SourceDeps } from '../source-deps.ts';
import { queryWork, sourceChanged } from '../source-errors.ts';
import { eventsIn, wheresOf } from './rows-in-range.ts';
import { explainMissing } from './explain-missing.ts';
import { fileColumns, type ParquetColumn } from './file-columns.ts';
import type { ColumnPlaces, LakeTable } from './lake-table.ts';

/** Files that are read each in its own way, in one query. */
const MOST_APART = 500;

/** Errors: HR_SOURCE_UNREADABLE naming table and column, HR_SOURCE_CHANGED naming a file that is gone, and what S3 says. */
export async function pinTable(
  source: SourceSpec,
  opened: LakeTable,
  range: EventRange,
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  const table = { ...opened, snapshot: { ...opened.snapshot, ...eventsIn(range) } };
  const owner = `source "${source.name}"`;
  const connection = await deps.duckdb.connect();
  try {
    return await explainMissing(table, owner, deps, async () => {
      const types = await columnsOf(connection, source, table.relation, table.snapshot.table);
      const selected = source.columns.map((column) =>
        castColumn(source, column, types.get(column.name.toLowerCase()) as string),
      );
      if (table.files.length === 0) return { ...(await pinFiles([], owner)), table: table.snapshot };
      const files = [...table.files].sort();
      const names = await namesInFiles(connection, source, table, files);
      if (names !== undefined) return pinDataFiles(source, table, files, names, range, deps);
      const rows = wheresOf(source, types, range)
        .map((where) => `SELECT ${selected.join(', ')} FROM ${table.relation}${where}`)
        .join(' UNION ALL ');
      return { ...(await landQuery(connection, source, rows, deps)), table: table.snapshot };
    });
  } finally {
    connection.closeSync();
  }
}

async function pinDataFiles(
  source: SourceSpec,
  table: LakeTable,
  files: readonly string[],
  names: readonly FileNames[],
  range: EventRange,
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  const owner = `source "${source.name}"`;
  const pinned = await pinPaths(files, { format: 'parquet', owner }, deps);
  const isRenamed = names.some(isApart);
  const snapshot: PinnedSnapshot = {
    ...pinned,
    // A file whose columns are others than before is another, although its bytes are the same.
    files: pinned.files.map((file, at) => ({ ...file, etag: file.etag + meaningOf(names[at]) })),
    ...(isRenamed && { names }),
    table: { ...table.snapshot, ...(isRenamed && { isRenamed }) },
    verify: () => explainMissing(table, owner, deps, () => pinned.verify()),
  };
  try {
    const picked = await inRange(source, snapshot, range, deps);
    return picked.files.length === files.length ? picked : await pinThose(picked, pinned, table, owner, deps);
  } catch (error) {
    await pinned.close();
    throw error;
  }
}

/** Of those that `pinned` has: the others, which nobody needs, are neither held open nor looked at any more. */
async function pinThose(
  picked: PinnedSnapshot,
  pinned: PinnedSnapshot,
  table: LakeTable,
  owner: string,
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  const files = picked.files.map(({ path }) => path);
  const again = await pinPaths(files, { format: 'parquet', owner }, deps);
  const changed = again.files.find(({ etag }, at) => picked.files[at]?.etag.startsWith(etag) !== true);
  if (changed !== undefined) {
    await again.close();
    throw sourceChanged(owner, changed.path, false);
  }
  await pinned.close();
  const verify = () => explainMissing({ ...table, files }, owner, deps, () => again.verify());
  return { ...picked, paths: again.paths, verify, close: () => again.close() };
}

/** Whether a declared column lies under another name, or not at all. */
const isApart = (names: FileNames): boolean => [...names].some(([column, name]) => name?.toLowerCase() !== column);

function meaningOf(names: FileNames | undefined): string {
  if (names === undefined || !isApart(names)) return '';
  return `-${sha256Hex(JSON.stringify([...names].sort())).slice(0, 16)}`;
}

/** The declared columns' names in each file; undefined where the files' rows are not the table's. */
async function namesInFiles(
  connection: DuckDBConnection,
  source: SourceSpec,
  { snapshot, deleteFiles, inFiles }: LakeTable,
  files: readonly string[],
): Promise<readonly FileNames[] | undefined> {
  if (inFiles === null || deleteFiles.length > 0 || files.length > MOST_FILES) return undefined;
  const found = await queryWork(
    `source "${source.name}": ${snapshot.table} cannot be read`,
    'HR_SOURCE_UNREADABLE',
    () => fileColumns(connection, files),
  );
  const names: FileNames[] = [];
  for (const columns of found) {
    const of = new Map<string, string | null>();
    for (const { name } of source.columns) {
      const place = nameOfColumn(name.toLowerCase(), columns, inFiles);
      if (place === undefined) return undefined;
      of.set(name.toLowerCase(), place);
    }
    names.push(of);
  }
  // Each such file is a query of its own.
  return names.some(isApart) && files.length > MOST_APART ? undefined : names;
}

/** Undefined where the file doesn't tell. */
function nameOfColumn(
  declared: string,
  columns: readonly ParquetColumn[],
  inFiles: ColumnPlaces,
): string | null | undefined {
  const isAlone = ({ name }: ParquetColumn): boolean =>
    columns.filter((one) => one.name.toLowerCase() === name.toLowerCase()).length === 1;
  if (inFiles.by === 'name') {
    const column = columns.find(({ name }) => name.toLowerCase() === declared);
    return column === undefined ? null : isAlone(column) ? column.name : undefined;
  }
  // Written by another program: what it means by its names is the table's to say.
  if (columns.some(({ id }) => id === null)) return undefined;
  const id = inFiles.ids.get(declared);
  const column = columns.find((one) => one.id === id);
  if (column !== undefined) return isAlone(column) ? column.name : undefined;
  return id === undefined || inFiles.filledIn.has(id) ? undefined : null;
}

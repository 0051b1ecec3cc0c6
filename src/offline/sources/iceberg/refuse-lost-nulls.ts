// Deletes by values, as DuckDB's extension "iceberg" reads them: it leaves out rows whose value is null along with those that are
// deleted, where by Iceberg's specification null is a value like any other. Such a table is refused: no row may be lost in silence.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError } from '../../../core/index.ts';
import { quoteName, quoteText } from '../../../storage/index.ts';
import { fileColumns, type ParquetColumn } from '../lake/file-columns.ts';
import type { LakeTable } from '../lake/lake-table.ts';
import type { PlaceDeps } from '../source-deps.ts';
import { queryWork } from '../source-errors.ts';

/** Throws HR_SOURCE_UNREADABLE where a column that rows are deleted by has more nulls in the files than in the table. */
export async function refuseLostNulls(table: LakeTable, owner: string, deps: PlaceDeps): Promise<void> {
  const { files, relation, snapshot, valueDeletes = [] } = table;
  if (valueDeletes.length === 0 || files.length === 0) return;
  const connection = await deps.duckdb.connect();
  const lost = await queryWork(`${owner}: ${snapshot.table} cannot be read`, 'HR_SOURCE_UNREADABLE', async () => {
    const inDeletes = await fileColumns(connection, valueDeletes);
    const inFiles = await fileColumns(connection, files);
    for (const column of new Map(inDeletes.flat().map((one) => [one.id ?? one.name, one])).values()) {
      const held = await nullsInFiles(connection, filesByName(files, inFiles, column));
      // Where null is among the values, its rows are to go.
      if (held === 0 || (await nullsInDeletes(connection, filesByName(valueDeletes, inDeletes, column))) > 0) continue;
      const name = nameNow(table, column);
      const read = await countOf(connection, `SELECT count(*) FROM ${relation} WHERE ${quoteName(name)} IS NULL`);
      if (read < held) return name;
    }
    return undefined;
  }).finally(() => connection.closeSync());
  if (lost === undefined) return;
  throw new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    `${owner}: ${snapshot.table} has deletes by values of "${lost}", and rows where that is null: DuckDB would lose them. ` +
      "Rewrite the table's data files, such as by Spark's rewrite_data_files, or leave no nulls in that column.",
  );
}

/** In a file that lacks the column all are null. */
async function nullsInFiles(connection: DuckDBConnection, lists: ReturnType<typeof filesByName>): Promise<number> {
  let nulls = 0;
  for (const [own, list] of lists)
    nulls += await countOf(
      connection,
      own === undefined
        ? `SELECT coalesce(sum(num_rows), 0) FROM parquet_file_metadata(${list})`
        : `SELECT count(*) FROM read_parquet(${list}) WHERE ${quoteName(own)} IS NULL`,
    );
  return nulls;
}

/** A file that lacks the column deletes by others. */
async function nullsInDeletes(connection: DuckDBConnection, lists: ReturnType<typeof filesByName>): Promise<number> {
  let nulls = 0;
  for (const [own, list] of lists)
    if (own !== undefined)
      nulls += await countOf(connection, `SELECT count(*) FROM read_parquet(${list}) WHERE ${quoteName(own)} IS NULL`);
  return nulls;
}

/** Lists of files, as SQL, by what they call the column. */
function filesByName(
  files: readonly string[],
  inFiles: readonly (readonly ParquetColumn[])[],
  { id, name }: ParquetColumn,
): ReadonlyMap<string | undefined, string> {
  const byName = new Map<string | undefined, string[]>();
  for (const [at, file] of files.entries()) {
    const own = inFiles[at]?.find((one) => (id === null ? one.name === name : one.id === id))?.name;
    byName.set(own, [...(byName.get(own) ?? []), file]);
  }
  return new Map([...byName].map(([own, those]) => [own, `[${those.map(quoteText).join(', ')}]`]));
}

/** As the table calls it by now. */
function nameNow({ inFiles }: LakeTable, { id, name }: ParquetColumn): string {
  const ids = inFiles?.by === 'id' ? [...inFiles.ids] : [];
  return ids.find(([, one]) => one === id)?.[0] ?? name;
}

async function countOf(connection: DuckDBConnection, sql: string): Promise<number> {
  return Number((await connection.runAndReadAll(sql)).getRows()[0]?.[0]);
}

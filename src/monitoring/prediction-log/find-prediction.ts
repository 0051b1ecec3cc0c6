// One prediction by its id: where it lies is looked for first, newest files first, and its row is then read of that moment
// alone. What an id tells of its arm leaves most of the files out.

import { readFile } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { type Json, type Micros, readPredictionId } from '../../core/index.ts';
import { type DuckDb, quoteText } from '../../storage/index.ts';
import { readSchema } from './arm-schema.ts';
import { KIND, readFrames } from './frame.ts';
import { findKeptSchema, readKeptSchema } from './kept-schemas.ts';
import { listLegacySegments } from './legacy-segments.ts';
import { sqlList } from './log-columns.ts';
import { queryPredictionLog } from './query-log.ts';
import { compileDecoder, schemaIdOf } from './record-decoder.ts';
import { listParquet, listWriters, noneIfGone, type ParquetFile } from './segments.ts';

/** The row of `predictions` by column; undefined where the log has none of this id. */
export async function findPrediction(
  duckdb: DuckDb,
  directory: string,
  id: string,
): Promise<Readonly<Record<string, Json>> | undefined> {
  // A compaction may take the file from one list before it is in the other.
  const found = (await locate(duckdb, directory, id)) ?? (await locate(duckdb, directory, id));
  const isLegacy = found === undefined && (await listLegacySegments(directory, 'predictions')).length > 0;
  if (found === undefined && !isLegacy) return undefined;
  const { columns, rows } = await queryPredictionLog(duckdb, {
    directory,
    startsAt: directory,
    sql: `SELECT * FROM predictions WHERE prediction_id = ${quoteText(id)}`,
    limit: 1,
    ...(found === undefined ? {} : { endpoint: found.endpoint, from: found.atMicros, to: found.atMicros + 1 }),
  });
  const [row] = rows;
  return row === undefined ? undefined : Object.fromEntries(columns.map(({ name }, at) => [name, row[at] ?? null]));
}

interface Place {
  readonly endpoint: string;
  readonly atMicros: Micros;
}

async function locate(duckdb: DuckDb, directory: string, id: string): Promise<Place | undefined> {
  const segments = (await listWriters(directory)).flatMap((writer) => writer.segments);
  for (const { path } of segments.toSorted((a, b) => (a.name < b.name ? 1 : -1))) {
    const place = await placeInSegment(directory, path, id);
    if (place !== undefined) return place;
  }
  const files = await candidates((await listParquet(directory, 'predictions')).toReversed(), id);
  const connection = await duckdb.connect();
  try {
    // Ever more at once: mostly it is asked for one of the last hours.
    for (let from = 0, count = FIRST_FILES; from < files.length; from += count, count *= 2) {
      const place = await placeInFiles(connection, files.slice(from, from + count), id);
      if (place !== undefined) return place;
    }
  } finally {
    connection.closeSync();
  }
  return undefined;
}

const FIRST_FILES = 8;

// The bytes say whether it is worth reading their records.
async function placeInSegment(directory: string, path: string, id: string): Promise<Place | undefined> {
  const bytes = await readFile(path).catch(noneIfGone);
  if (bytes === undefined || bytes.indexOf(id) < 0) return undefined;
  const schemas = new Map<string, ReturnType<typeof readSchema>>();
  for (const frame of readFrames(bytes)) {
    if ('unread' in frame) continue;
    const schema = frame.kind === KIND.outcome ? '' : schemaIdOf(bytes, frame);
    if (frame.kind === KIND.schema)
      schemas.set(schema, readSchema(schema, bytes.toString('utf8', frame.from + 8, frame.end)));
    if (frame.kind !== KIND.prediction || bytes.subarray(frame.from, frame.end).indexOf(id) < 0) continue;
    const named = schemas.get(schema) ?? (await findKeptSchema(directory, schema));
    if (named === undefined) continue;
    try {
      const { predictionId, atMicros } = compileDecoder(named)(bytes, frame);
      if (predictionId === id) return { endpoint: named.schema.endpoint, atMicros };
    } catch (error) {
      // Nonsense behind a checksum that holds: nobody else reads it either.
      if (!(error instanceof RangeError) && !(error instanceof TypeError)) throw error;
    }
  }
  return undefined;
}

/** The version in an id is what its unit was assigned: another may have answered, so that its files come first, not alone. */
async function candidates(files: readonly ParquetFile[], id: string): Promise<readonly ParquetFile[]> {
  const version = readPredictionId(id)?.version;
  if (version === undefined) return files;
  const folders = new Map<string, number | undefined>();
  for (const { schema } of files) {
    if (schema === undefined || folders.has(schema.folder)) continue;
    folders.set(schema.folder, (await readKeptSchema(schema.folder, schema.id))?.schema.version);
  }
  const isOf = ({ schema }: ParquetFile): boolean => schema !== undefined && folders.get(schema.folder) === version;
  return [...files.filter(isOf), ...files.filter((file) => !isOf(file))];
}

async function placeInFiles(
  connection: DuckDBConnection,
  files: readonly ParquetFile[],
  id: string,
): Promise<Place | undefined> {
  // Files of different schemas are read apart: by one list they would have to have the same columns.
  const groups = Map.groupBy(files, ({ schema }) => schema?.folder);
  const parts = Array.from(
    groups.values(),
    (group) =>
      `SELECT endpoint, epoch_us(predicted_at)::DOUBLE AS at FROM read_parquet(${sqlList(group.map(({ path }) => path))}, \
hive_partitioning = false) WHERE prediction_id = ${quoteText(id)}`,
  );
  const found = await connection.runAndReadAll(`${parts.join(' UNION ALL ')} LIMIT 1`).catch((error: unknown) => {
    // What a compaction or a retention took away meanwhile is found at the second look, or gone.
    if (error instanceof Error && /No files found|Cannot open file/i.test(error.message)) return undefined;
    throw error;
  });
  const [row] = found?.getRows() ?? [];
  return row === undefined ? undefined : { endpoint: String(row[0]), atMicros: Number(row[1]) };
}

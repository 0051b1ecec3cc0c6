// An Arrow IPC stream becomes a Parquet file, by way of a table of DuckDB that spills where memory is short: then it is read like
// any other spine.

import { zstdDecompressSync } from 'node:zlib';
import { type DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import { CompressionType, compressionRegistry, type RecordBatch, RecordBatchReader, type Schema } from 'apache-arrow';
import { HeadraceError, messageOf } from '../../core/index.ts';
import { CHUNK_ROWS, type DuckDb, quoteName, quoteText } from '../../storage/index.ts';
import { queryWork } from '../sources/source-errors.ts';
import { type ArrowColumn, columnOf } from './arrow-columns.ts';
import { bad, readFrames } from './arrow-frames.ts';

const TABLE = '__hr_arrow';

/** Gives the rows. Throws HR_SPINE that says what of the stream or which column cannot be, HR_STORAGE_FULL. */
export async function arrowToParquet(duckdb: DuckDb, from: string, to: string): Promise<number> {
  const connection = await duckdb.connect();
  try {
    return await queryWork('the spine cannot be kept', 'HR_SPINE', async () => {
      const rows = await load(connection, from);
      await connection.run(`COPY ${TABLE} TO ${quoteText(to)} (FORMAT parquet, COMPRESSION zstd)`);
      return rows;
    });
  } finally {
    connection.closeSync();
  }
}

async function load(connection: DuckDBConnection, path: string): Promise<number> {
  compressionRegistry.set(CompressionType.ZSTD, { decode: zstdDecompressSync });
  const reader = await arrow(() => RecordBatchReader.from(readFrames(path)).then((opened) => opened.open()));
  const { names, columns } = columnsOf(reader.schema);
  const declared = names.map((name, at) => `${quoteName(name)} ${(columns[at] as ArrowColumn).type.toString()}`);
  await connection.run(`CREATE TEMP TABLE ${TABLE} (${declared.join(', ')})`);
  const appender = await connection.createAppender(TABLE, null, 'temp');
  let rows = 0;
  try {
    for (;;) {
      const { value: batch, done } = await arrow(() => reader.next());
      if (done === true) break;
      // One that stands for an empty stream lacks the columns of lists.
      if (batch.numRows === 0) continue;
      for (const chunk of chunksOf(batch, columns)) appender.appendDataChunk(chunk);
      rows += batch.numRows;
    }
  } finally {
    appender.closeSync();
  }
  return rows;
}

function columnsOf(schema: Schema): { readonly names: readonly string[]; readonly columns: readonly ArrowColumn[] } {
  const names = schema.fields.map(({ name }) => name);
  const seen = new Set<string>();
  for (const name of names) {
    if (name === '') throw new HeadraceError('HR_SPINE', 'the spine has a column without a name.');
    if (seen.has(name.toLowerCase()))
      throw new HeadraceError('HR_SPINE', `the spine has two columns "${name}"; names are told apart without case.`);
    seen.add(name.toLowerCase());
  }
  if (names.length === 0) throw new HeadraceError('HR_SPINE', 'the spine has no columns.');
  const columns = schema.fields.map(({ name, type }) => {
    const column = columnOf(type);
    if (column !== undefined) return column;
    throw new HeadraceError(
      'HR_SPINE',
      `the spine’s column "${name}" is of Arrow’s type ${String(type)}, which no column of a training set can be. Leave it out, or make it text.`,
    );
  });
  return { names, columns };
}

function* chunksOf(batch: RecordBatch, columns: readonly ArrowColumn[]): Generator<DuckDBDataChunk> {
  const readers = columns.map((column, at) => {
    const data = batch.data.children[at];
    if (data === undefined) throw bad('a record batch lacks a column of the schema');
    return column.reader(data);
  });
  const types = columns.map(({ type }) => type);
  for (let from = 0; from < batch.numRows; from += CHUNK_ROWS) {
    const size = Math.min(CHUNK_ROWS, batch.numRows - from);
    const chunk = DuckDBDataChunk.create(types, size);
    for (const [at, read] of readers.entries()) {
      const vector = chunk.getColumnVector(at);
      for (let row = 0; row < size; row++) vector.setItem(row, read(from + row));
      vector.flush();
    }
    yield chunk;
  }
}

async function arrow<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof HeadraceError) throw thrown;
    const message = messageOf(thrown);
    if (/compressed but codec not found/.test(message))
      throw new HeadraceError(
        'HR_SPINE',
        'the spine’s record batches are compressed by LZ4: send them as they are, or by zstd.',
      );
    throw bad(message.slice(0, 200), thrown);
  }
}

// The rows of a Parquet file as an Arrow IPC stream, a record batch at a time, no faster than it is read.

import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api';
import { AsyncByteQueue, Field, makeData, RecordBatch, RecordBatchStreamWriter, Schema, Struct } from 'apache-arrow';
import { type DuckDb, quoteName, quoteText } from '../../storage/index.ts';
import { type ArrowBuilder, builderOf } from './arrow-builders.ts';

const BATCH_ROWS = 65_536;

/** As `streamArrow`. */
export async function parquetToArrow(
  duckdb: DuckDb,
  path: string,
  out: Writable,
  instants: ReadonlySet<string>,
): Promise<void> {
  const connection = await duckdb.connect();
  try {
    const result = await streamOf(connection, path);
    const names = result.columnNames();
    const builders = names.map((name, at) => builderFor(result, at, instants.has(name)));
    const schema = new Schema(names.map((name, at) => new Field(name, (builders[at] as ArrowBuilder).type, true)));
    const writer = createWriter(schema, out);
    let rows = 0;
    for (
      let chunk = await result.fetchChunk();
      chunk !== null && chunk.rowCount > 0;
      chunk = await result.fetchChunk()
    ) {
      for (const [at, builder] of builders.entries()) builder.take(chunk.getColumnVector(at), chunk.rowCount);
      rows += chunk.rowCount;
      if (rows < BATCH_ROWS) continue;
      await writer.write(builders, rows);
      rows = 0;
    }
    if (rows > 0) await writer.write(builders, rows);
    await writer.end();
  } finally {
    connection.closeSync();
  }
}

/** What no column of Arrow can be is cast: whole and fractional seconds to microseconds, anything else to text. */
async function streamOf(connection: DuckDBConnection, path: string): Promise<DuckDBResult> {
  const from = `read_parquet(${quoteText(path)})`;
  const probe = await connection.stream(`SELECT * FROM ${from} LIMIT 0`);
  const columns = probe.columnNames().map((name, at) => {
    const type = probe.columnType(at);
    const column = quoteName(name);
    if (builderOf(type, false) !== undefined) return column;
    return `CAST(${column} AS ${String(type).startsWith('TIMESTAMP') ? 'TIMESTAMP' : 'VARCHAR'}) AS ${column}`;
  });
  return connection.stream(`SELECT ${columns.join(', ')} FROM ${from}`);
}

function builderFor(result: DuckDBResult, at: number, isInstant: boolean): ArrowBuilder {
  // Every type was cast to one of which there is a builder.
  return builderOf(result.columnType(at), isInstant) as ArrowBuilder;
}

interface Writer {
  write(builders: readonly ArrowBuilder[], rows: number): Promise<void>;
  end(): Promise<void>;
}

function createWriter(schema: Schema, out: Writable): Writer {
  const pieces: Uint8Array[] = [];
  const sink = new (class extends AsyncByteQueue {
    override write(piece: Uint8Array): void {
      pieces.push(piece);
    }
  })();
  const writer = new RecordBatchStreamWriter();
  writer.reset(sink, schema);
  const flush = async (): Promise<void> => {
    for (const piece of pieces.splice(0)) if (!out.write(piece)) await once(out, 'drain');
  };
  return {
    async write(builders, rows) {
      const children = builders.map((builder) => builder.finish());
      const data = makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children });
      writer.write(new RecordBatch(schema, data));
      await flush();
    },
    async end() {
      writer.finish();
      await flush();
      await new Promise<void>((resolve) => out.end(resolve));
    },
  };
}

// The newest row of each touched key, with what the online store needs to keep its place in the order of rows.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { SourceSpec } from '../../definitions/index.ts';
import type { LatestRow, ViewCodec } from '../../online/index.ts';
import { replayLatest } from '../duckdb/latest-replay.ts';
import { makePoints } from '../duckdb/point-keys.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import { readerOf } from '../duckdb/vector-values.ts';
import type { DuckDb } from '../../storage/index.ts';
import type { ReadPlan } from '../plan.ts';
import type { ScannedSource } from '../sources/scan-source.ts';
import { quoteName } from '../sources/sql-text.ts';
import { keyType } from './touched-keys.ts';

/** By the key's number in `keysTable`; the newest row is kept past its TTL, which readers judge. */
export async function findLatestRows(
  duckdb: DuckDb,
  connection: DuckDBConnection,
  codec: ViewCodec,
  scanned: ScannedSource,
  keysTable: string,
): Promise<Map<number, LatestRow>> {
  const rows = new Map<number, LatestRow>();
  if (codec.latestColumns.length === 0) return rows;
  const { view, source } = codec;
  const read: ReadPlan = {
    view: { ...view, ttlMicros: null },
    keys: view.keyColumns.map((sourceColumn, i) => ({ spineColumn: `k${i}`, sourceColumn, type: keyType(codec, i) })),
    boundary: 'at',
    // The watermark is already the time as of which the view is served.
    schedule: null,
    latest: view.features.flatMap(({ aggregation }, i) => (aggregation.op === 'latest' ? [i] : [])),
    windows: [],
  };
  const name = 'touched';
  const tables = await makePoints(
    connection,
    name,
    read,
    keysTable,
    new Map(view.keyColumns.map((_, i) => [`k${i}`, `k${i}`])),
  );
  const winners = await replayLatest(duckdb, connection, name, read, scanned, tables);
  const columns = codec.latestColumns.map((column) => `e.${quoteName(column)}`);
  const isDeleted = source.tombstone === undefined ? 'false' : `e.${quoteName(source.tombstone)} IS TRUE`;
  const result = await connection.stream(
    `SELECT CAST(w.__hr_spine AS DOUBLE), CAST(e.__hr_event AS DOUBLE), CAST(e.__hr_known AS DOUBLE), ` +
      `${orderSql(source)}, ${[isDeleted, ...columns].join(', ')} ` +
      `FROM ${winners} w JOIN ${scanned.relation} e ON e.__hr_row = w.__hr_row`,
  );
  const types = codec.rowCodec.schema.columns.map(({ type }) => type);
  for await (const chunk of readAhead(result)) {
    const vector = (column: number) => chunk.getColumnVector(column);
    const [spine, event, known, order] = [0, 1, 2, 3].map((column) => readerOf(vector(column), { kind: 'float64' }));
    const deleted = readerOf(vector(4), { kind: 'bool' });
    const values = types.map((type, i) => readerOf(vector(5 + i), type));
    for (let i = 0; i < chunk.rowCount; i++) {
      // The first four are numbers that are never null.
      rows.set(spine?.(i) as number, {
        eventMicros: event?.(i) as number,
        knownMicros: known?.(i) as number,
        order: order?.(i) as number,
        ...(deleted(i) === true && { deleted: true }),
        values: values.map((readValue) => readValue(i)),
      });
    }
  }
  await connection.run(`DROP TABLE ${winners}; DROP TABLE ${tables.points}; DROP TABLE ${tables.keys}`);
  return rows;
}

// As a push has it: the created order where that is a number, else the arrival; rows of files came before any push.
function orderSql({ createdOrder, columns }: SourceSpec): string {
  const kind = columns.find(({ name }) => name === createdOrder)?.type.kind;
  const arrival = 'coalesce(CAST(e.__hr_arrival AS DOUBLE), 0)';
  if (createdOrder === undefined || kind === undefined) return arrival;
  const created = kind === 'timestamp' ? `epoch_us(e.${quoteName(createdOrder)})` : `e.${quoteName(createdOrder)}`;
  return ORDERED.has(kind) ? `coalesce(CAST(${created} AS DOUBLE), ${arrival})` : arrival;
}

const ORDERED: ReadonlySet<string> = new Set(['int32', 'int64', 'float32', 'float64', 'timestamp']);

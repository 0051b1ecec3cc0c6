// Events of touched keys for the tiles, key by key: DuckDB joins, sorts and spills; nothing here holds more than a chunk.

import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import type { Aggregator, EventColumns } from '../../aggregation/index.ts';
import type { Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { ViewCodec } from '../../online/index.ts';
import { quoteName } from '../../storage/index.ts';
import { inputColumns, readInput } from '../duckdb/input-columns.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import { numbersOf } from '../duckdb/vector-values.ts';
import { isDeletedSql, keyed, sameKey, tieOrder } from './fact-sql.ts';
import { orderColumns, orderReader } from './row-order.ts';

/** Row i is an event of the key with number `keys[i]`. */
export interface EventsChunk extends EventColumns {
  readonly size: number;
  readonly keys: Int32Array;
}

/**
 * The events known by `asOf` of the keys in `keysTable` (`__hr_n` INTEGER, `__hr_since` BIGINT micros: earlier ones are seen by
 * no window), in the keys' order; within a key always in the same order, so that sums come out alike.
 */
export async function* windowEvents(
  connection: DuckDBConnection,
  codec: ViewCodec,
  relation: string,
  keysTable: string,
  asOf: Micros,
): AsyncGenerator<EventsChunk> {
  // Called only for views with windows.
  const aggregator = codec.aggregator as Aggregator;
  const { source } = codec;
  const { inputs, isOrderSensitive } = aggregator;
  const columns = [
    '__hr_n',
    'CAST(__hr_event AS DOUBLE)',
    'CAST(__hr_known AS DOUBLE)',
    ...(isOrderSensitive ? orderColumns(source) : []),
    ...inputs.flatMap((input) => inputColumns(input, quoteName(input.column))),
  ];
  const ties = isOrderSensitive ? ['__hr_event', '__hr_known', ...tieOrder(source, 'ASC NULLS FIRST')] : [];
  const stream = await connection.stream(
    `SELECT ${columns.join(', ')} FROM ${keyed(codec, relation)} AS facts JOIN ${keysTable} AS keys ON ${sameKey(codec, 'facts', 'keys')} ` +
      `WHERE __hr_known <= ${asOf} AND __hr_event >= __hr_since AND NOT ${isDeletedSql(source)} ` +
      `ORDER BY ${['__hr_n', ...ties, '__hr_row'].join(', ')}`,
  );
  for await (const chunk of readAhead(stream)) yield toEvents(chunk, source, aggregator);
}

function toEvents(chunk: DuckDBDataChunk, source: SourceSpec, { inputs, isOrderSensitive }: Aggregator): EventsChunk {
  let at = 3;
  const next = () => chunk.getColumnVector(at++);
  const orders = isOrderSensitive ? orderReader(chunk, at, source) : undefined;
  if (orders !== undefined) at += orderColumns(source).length;
  const size = chunk.rowCount;
  return {
    size,
    keys: numbersOf<Int32Array>(chunk.getColumnVector(0)),
    eventMicros: numbersOf<Float64Array>(chunk.getColumnVector(1)),
    knownMicros: numbersOf<Float64Array>(chunk.getColumnVector(2)),
    ...(orders !== undefined && { orders: Array.from({ length: size }, (_, row) => orders(row)) }),
    inputs: inputs.map((input) => readInput(input, size, next)),
  };
}

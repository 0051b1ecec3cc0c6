// Windowed features of a spine: a replay of its events through the aggregator, written to a temporary table by row.

import { type DuckDBConnection, DuckDBDataChunk, DOUBLE, type DuckDBType, type DuckDBVector } from '@duckdb/node-api';
import { type Aggregator, compileAggregator, type TileState } from '../../aggregation/index.ts';
import type { DataType, Value } from '../../core/index.ts';
import type { FeatureSpec } from '../../definitions/index.ts';
import { CHUNK_ROWS, type DuckDb, quoteName } from '../../storage/index.ts';
import { duckType } from '../sources/sql-text.ts';
import { nodeDuckType } from '../../storage/index.ts';
import { type EventStreamRequest, openEventStream } from './event-stream.ts';
import { replay } from './replay.ts';
import { openSideTable } from './side-table.ts';
import { numbersOf, toDuck } from './vector-values.ts';

export interface WindowReplayRequest extends Omit<EventStreamRequest, 'aggregator'> {
  /** Spine rows done so far, of `total`. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface WindowFeatures {
  /**
   * SQL to stand after FROM: `__hr_row` (BIGINT) and one typed column a windowed feature, by its name. It has every
   * spine row whose key and time are not null, in no set order; the others have null features.
   */
  readonly relation: string;
  /** The windowed features, in the view's order. */
  readonly features: readonly FeatureSpec[];
  /** Drops the table. */
  close(): Promise<void>;
}

let tables = 0;

/**
 * Computes a view's windows for a spine (semantics as in docs/reference/semantics.md); null when the view has none.
 * Errors: HR_INTEGER_OVERFLOW naming the key; whatever the source's own query raises, as DuckDB raised it.
 */
export async function replayWindows(
  duckdb: DuckDb,
  connection: DuckDBConnection,
  request: WindowReplayRequest,
): Promise<WindowFeatures | null> {
  const aggregator = compileAggregator(request.view, request.source);
  if (aggregator === null) return null;
  // The aggregator's indexes are of the view's features.
  const features = aggregator.features.map((index) => request.view.features[index] as FeatureSpec);
  const table = `__hr_windows_${++tables}`;
  const columns = features.map(({ type }, i) => column(type, aggregator, i));
  const names = columns.map(({ sqlType }, i) => `v${i} ${sqlType}`);
  const close = async () => {
    await connection.run(`DROP TABLE IF EXISTS ${quoteName(table)}`);
  };
  const side = await openSideTable(duckdb, connection, table, ['__hr_row DOUBLE', ...names].join(', '));
  try {
    const stream = await openEventStream(connection, { ...request, aggregator });
    try {
      const sink = new WindowSink(columns, (chunk) => side.append(chunk));
      const report = request.onProgress;
      await replay(
        stream,
        aggregator,
        {
          spineRow: (row, at, state, isRepeat) => sink.put(row, at, state, isRepeat),
          async chunkEnd() {
            report?.(sink.written, stream.spineRows);
          },
        },
        request.view.name,
      );
      sink.finish();
      await side.finish();
    } finally {
      await stream.close();
    }
  } finally {
    await side.discard();
  }
  const typed = features.map(({ name, type }, i) => `CAST(v${i} AS ${duckType(type)}) AS ${quoteName(name)}`);
  const relation = `(SELECT ${['CAST(__hr_row AS BIGINT) AS __hr_row', ...typed].join(', ')} FROM ${quoteName(table)})`;
  return { relation, features, close };
}

interface Column {
  readonly sqlType: string;
  readonly duckType: DuckDBType;
  /** Plain numbers (counts among them) travel as doubles; the relation casts them. */
  readonly readNumber: ((state: TileState, at: number) => number | null) | undefined;
  readonly read: (state: TileState, at: number) => Value;
  readonly type: DataType;
}

function column(type: DataType, aggregator: Aggregator, feature: number): Column {
  const readNumber = type.kind === 'timestamp' ? undefined : aggregator.numberReaders[feature];
  return {
    type,
    readNumber,
    read: (state, at) => aggregator.value(state, feature, at),
    sqlType: readNumber === undefined ? duckType(type) : 'DOUBLE',
    duckType: readNumber === undefined ? nodeDuckType(type) : DOUBLE,
  };
}

/** Gathers rows into chunks. */
class WindowSink {
  written = 0;
  readonly #write: (chunk: DuckDBDataChunk) => void;
  readonly #columns: readonly Column[];
  readonly #types: readonly DuckDBType[];
  readonly #rows = new Float64Array(CHUNK_ROWS);
  readonly #numbers: readonly Float64Array[];
  readonly #isNull: readonly Uint8Array[];
  readonly #values: readonly Value[][];
  #size = 0;

  constructor(columns: readonly Column[], write: (chunk: DuckDBDataChunk) => void) {
    this.#write = write;
    this.#columns = columns;
    this.#types = [DOUBLE, ...columns.map((one) => one.duckType)];
    this.#numbers = columns.map(() => new Float64Array(CHUNK_ROWS));
    this.#isNull = columns.map(() => new Uint8Array(CHUNK_ROWS));
    this.#values = columns.map(() => Array<Value>(CHUNK_ROWS).fill(null));
  }

  put(row: number, at: number, state: TileState, isRepeat: boolean): void {
    if (this.#size === CHUNK_ROWS) this.#flush();
    const i = this.#size++;
    const canCopy = isRepeat && i > 0;
    this.#rows[i] = row;
    for (let c = 0; c < this.#columns.length; c++) {
      const { readNumber, read } = this.#columns[c] as Column;
      const numbers = this.#numbers[c] as Float64Array;
      const isNull = this.#isNull[c] as Uint8Array;
      const values = this.#values[c] as Value[];
      if (canCopy) {
        numbers[i] = numbers[i - 1] as number;
        isNull[i] = isNull[i - 1] as number;
        values[i] = values[i - 1] as Value;
      } else if (readNumber !== undefined) {
        const value = readNumber(state, at);
        isNull[i] = value === null ? 1 : 0;
        numbers[i] = value ?? 0;
      } else {
        values[i] = read(state, at);
      }
    }
    this.written++;
  }

  finish(): void {
    this.#flush();
  }

  #flush(): void {
    const size = this.#size;
    if (size === 0) return;
    const chunk = DuckDBDataChunk.create(this.#types, size);
    const rows = chunk.getColumnVector(0);
    numbersOf<Float64Array>(rows).set(this.#rows.subarray(0, size));
    rows.flush();
    this.#columns.forEach((one, c) => this.#fill(chunk.getColumnVector(c + 1), one, c, size));
    this.#write(chunk);
    this.#size = 0;
  }

  #fill(vector: DuckDBVector, { readNumber, type }: Column, c: number, size: number): void {
    const [numbers, isNull, values] = [
      this.#numbers[c] as Float64Array,
      this.#isNull[c] as Uint8Array,
      this.#values[c] as Value[],
    ];
    if (readNumber === undefined) {
      for (let i = 0; i < size; i++) vector.setItem(i, toDuck(type, values[i] as Value));
    } else {
      numbersOf<Float64Array>(vector).set(numbers.subarray(0, size));
      for (let i = 0; i < size; i++) if (isNull[i] === 1) vector.setItem(i, null);
    }
    vector.flush();
  }
}

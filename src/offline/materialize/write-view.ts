// Computes the touched keys of a view as of the watermark and writes them, some keys at a time.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { TileState } from '../../aggregation/index.ts';
import { type EncodedKey, encodeKey, type Micros, type Value } from '../../core/index.ts';
import { type BaseRow, type OnlineStore, type ViewCodec, writeBase } from '../../online/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import { openEventStream } from '../duckdb/event-stream.ts';
import { replay } from '../duckdb/replay.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import { numbersOf, readerOf } from '../duckdb/vector-values.ts';
import type { ScannedSource } from '../sources/scan-source.ts';
import { findLatestRows } from './latest-rows.ts';
import { KEYS_TABLE, keyType } from './touched-keys.ts';

/** Keys whose latest rows are held in memory at once; each such range reads the source anew. */
const KEYS_PER_RANGE = 250_000;
/** Records per write to the store: one durable transaction or round trip. */
const RECORDS_PER_WRITE = 1024;

export interface WriteViewRequest {
  readonly codec: ViewCodec;
  readonly scanned: ScannedSource;
  readonly keys: number;
  readonly asOf: Micros;
  /** The arrival up to which kept pushes are in `scanned`. */
  readonly through: Micros;
  /** Called after each write with the keys done so far; throws to stop the run. */
  onWritten(done: number): void;
}

/** Resolves once every write was acknowledged, with how many records changed. Errors: the store's and the source's. */
export async function writeView(
  duckdb: DuckDb,
  connection: DuckDBConnection,
  store: OnlineStore,
  request: WriteViewRequest,
): Promise<number> {
  const range = `${KEYS_TABLE}_range`;
  let written = 0;
  for (let from = 0; from < request.keys; from += KEYS_PER_RANGE) {
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE ${range} AS SELECT * FROM ${KEYS_TABLE} ` +
        `WHERE __hr_spine >= ${from} AND __hr_spine < ${from + KEYS_PER_RANGE}`,
    );
    written += await writeRange(duckdb, connection, store, request, range, from);
  }
  await connection.run(`DROP TABLE IF EXISTS ${range}`);
  return written;
}

async function writeRange(
  duckdb: DuckDb,
  connection: DuckDBConnection,
  store: OnlineStore,
  request: WriteViewRequest,
  range: string,
  from: number,
): Promise<number> {
  const { codec, scanned, asOf, through, onWritten } = request;
  const keys = await readKeys(connection, codec, range);
  const latest = await findLatestRows(duckdb, connection, codec, scanned, range);
  let written = 0;
  let done = 0;
  let batch: BaseRow<EncodedKey>[] = [];
  const write = async (): Promise<void> => {
    if (batch.length === 0) return;
    const writing = writeBase(store, codec, batch, asOf, through);
    done += batch.length;
    batch = [];
    written += (await writing).written;
    onWritten(from + done);
  };
  // Every touched key has a number, and each number a key.
  const rowOf = (spine: number, tiles: TileState | null): BaseRow<EncodedKey> => ({
    key: (keys.get(spine) as TouchedKey).key,
    latest: latest.get(spine) ?? null,
    tiles,
  });

  const { aggregator } = codec;
  if (aggregator === null) {
    for (const spine of keys.keys()) {
      batch.push(rowOf(spine, null));
      if (batch.length === RECORDS_PER_WRITE) await write();
    }
    await write();
    return written;
  }
  // Tiles are copied out of the replay's one state, into states that are used again after each write.
  const pool: TileState[] = [];
  const stream = await openEventStream(connection, {
    view: { ...codec.view, freshness: { kind: 'live' } },
    source: codec.source,
    aggregator,
    sourceRelation: scanned.relation,
    spineRelation: `(SELECT __hr_spine AS __hr_row, * FROM ${range})`,
    spineKeys: codec.view.keyColumns.map((_, i) => `k${i}`),
    spineSince: '__hr_since',
    boundary: 'at',
  });
  try {
    await replay(
      stream,
      aggregator,
      {
        spineRow(spine, at, state) {
          aggregator.trim(state, Math.min(at, (keys.get(spine) as TouchedKey).newest));
          const copy = (pool[batch.length] ??= aggregator.create());
          aggregator.reset(copy);
          aggregator.merge(copy, state);
          batch.push(rowOf(spine, copy.some((run) => run.size > 0) ? copy : null));
        },
        async chunkEnd() {
          if (batch.length >= RECORDS_PER_WRITE) await write();
        },
      },
      codec.view.name,
    );
  } finally {
    await stream.close();
  }
  await write();
  return written;
}

interface TouchedKey {
  readonly key: EncodedKey;
  /** Event time of its newest row. */
  readonly newest: Micros;
}

async function readKeys(
  connection: DuckDBConnection,
  codec: ViewCodec,
  range: string,
): Promise<Map<number, TouchedKey>> {
  const keys = new Map<number, TouchedKey>();
  const names = codec.keyTypes.map((_, i) => `k${i}`);
  const result = await connection.stream(
    `SELECT CAST(__hr_spine AS DOUBLE), CAST(__hr_newest AS DOUBLE), ${names.join(', ')} FROM ${range} ORDER BY __hr_spine`,
  );
  for await (const chunk of readAhead(result)) {
    const [spine, newest] = [0, 1].map((column) => numbersOf<Float64Array>(chunk.getColumnVector(column)));
    const parts = codec.keyTypes.map((_, i) => readerOf(chunk.getColumnVector(i + 2), keyType(codec, i)));
    for (let i = 0; i < chunk.rowCount; i++) {
      const values: Value[] = parts.map((read) => read(i));
      const key = encodeKey(codec.keyTypes, values);
      if (key !== undefined) keys.set(spine?.[i] as number, { key, newest: newest?.[i] as number });
    }
  }
  return keys;
}

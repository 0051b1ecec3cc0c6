// Bases of numbered keys, folded fact by fact: three streams in the keys' order, of the keys with their winners, of the
// events that their windows see, and of the facts that wait.

import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import type { Aggregator, TileState } from '../../aggregation/index.ts';
import type { Micros } from '../../core/index.ts';
import { type BaseState, type LatestRow, packBase, type ViewCodec, type ViewEvent } from '../../online/index.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import { numbersOf, readerOf } from '../duckdb/vector-values.ts';
import { latestRow } from './base-packer.ts';
import { columnType, streamedType } from './fact-sql.ts';
import { createKeyReader } from './key-column.ts';
import type { KeyTable } from './key-table.ts';
import { readLatestRows } from './latest-rows.ts';
import type { BaseSink, PackedBase } from './packed-base.ts';
import { orderReader } from './row-order.ts';
import type { RunScope } from './run-scope.ts';
import type { ValueWatch } from './value-watch.ts';
import { windowEvents } from './window-events.ts';

/** Of every key of the table, one that has no facts too. */
export async function packFolded(
  scope: RunScope,
  run: number,
  keys: KeyTable,
  sink: BaseSink,
  watch?: ValueWatch,
): Promise<void> {
  const { codec, duckdb, connection, facts, asOf } = scope;
  const { aggregator } = codec;
  // Each stream has a connection of its own; the facts' is that of the events.
  const own = [await duckdb.connect(), await duckdb.connect()] as const;
  const events = createTiles(
    aggregator,
    aggregator === null ? undefined : windowEvents(connection, codec, facts.relation, keys.table, asOf),
  );
  const waiting = createWaiting(codec, keys.waitingSql === null ? undefined : readChunks(own[1], keys.waitingSql));
  const readKeys = createKeyReader(codec.keyTypes);
  try {
    for await (const chunk of readChunks(own[0], keys.keysSql)) {
      const numbers = numbersOf<Int32Array>(chunk.getColumnVector(0));
      const pushed = readerOf(chunk.getColumnVector(1), { kind: 'bool' });
      const newest = readerOf(chunk.getColumnVector(2), { kind: 'float64' });
      const encoded = readKeys(chunk, 3);
      const winners = keys.hasWinners ? latestReader(chunk, 3 + codec.keyTypes.length, codec) : () => null;
      const bases: PackedBase[] = [];
      for (let i = 0; i < chunk.rowCount; i++) {
        const number = numbers[i] as number;
        const known = newest(i);
        const tiles = await events.of(number);
        // Of what is known: a key without a newest fact has some that wait, or none.
        if (tiles !== null && known !== null) aggregator?.trim(tiles, known as number);
        const later = await waiting.of(number);
        const state: BaseState = { latest: winners(i), tiles: known === null ? null : tiles, waiting: later };
        watch?.ofKey(state.latest, state.tiles);
        const base = packBase(codec, run, asOf, state);
        const waits = later.length === 0 ? {} : { waitsMs: waitsMs(later, asOf) };
        bases.push({ key: encoded[i] as PackedBase['key'], base, isPushed: pushed(i) === true, ...waits });
      }
      await sink(bases);
    }
  } finally {
    await events.close();
    await waiting.close();
    for (const one of own) one.closeSync();
  }
}

function waitsMs(waiting: readonly ViewEvent[], asOf: Micros): number {
  const last = waiting.reduce((latest, { knownMicros }) => Math.max(latest, knownMicros), asOf);
  return Math.ceil((last - asOf) / 1000);
}

async function* readChunks(connection: DuckDBConnection, sql: string): AsyncGenerator<DuckDBDataChunk> {
  yield* readAhead(await connection.stream(sql));
}

function latestReader(chunk: DuckDBDataChunk, first: number, codec: ViewCodec): (row: number) => LatestRow | null {
  const rows = readLatestRows(chunk, first, codec);
  const event = readerOf(chunk.getColumnVector(first), { kind: 'float64' });
  // A key without a winner has nulls in its place.
  return (row) => (event(row) === null ? null : latestRow(rows, row));
}

/** Folds each key's events in turn; `of` is asked with rising numbers, and its state is used again. */
function createTiles(aggregator: Aggregator | null, chunks: ReturnType<typeof windowEvents> | undefined) {
  const state: TileState | null = aggregator?.create() ?? null;
  const next = createCursor(chunks);
  return {
    async of(number: number): Promise<TileState | null> {
      if (aggregator === null || state === null) return null;
      aggregator.reset(state);
      for (;;) {
        const chunk = next.chunk ?? (await next.load());
        if (chunk === undefined) return state;
        const { keys, size } = chunk;
        let { at } = next;
        while (at < size && keys[at] === number) aggregator.update(state, chunk, at++);
        next.at = at;
        if (at < size) return state;
        next.chunk = undefined;
      }
    },
    close: next.close,
  };
}

/** Gathers each key's facts that wait, likewise. */
function createWaiting(codec: ViewCodec, chunks: AsyncGenerator<DuckDBDataChunk> | undefined) {
  const next = createCursor(chunks);
  let numbers: Int32Array = new Int32Array(0);
  let read: (row: number) => ViewEvent = () => {
    throw new Error('no chunk of waiting facts was read');
  };
  return {
    async of(number: number): Promise<readonly ViewEvent[]> {
      const events: ViewEvent[] = [];
      for (;;) {
        if (next.chunk === undefined) {
          const chunk = await next.load();
          if (chunk === undefined) return events;
          numbers = numbersOf<Int32Array>(chunk.getColumnVector(0));
          read = eventReader(chunk, codec);
        }
        while (next.at < numbers.length && numbers[next.at] === number) events.push(read(next.at++));
        if (next.at < numbers.length) return events;
        next.chunk = undefined;
      }
    },
    close: next.close,
  };
}

function eventReader(chunk: DuckDBDataChunk, codec: ViewCodec): (row: number) => ViewEvent {
  const { source, eventColumns } = codec;
  const events = numbersOf<Float64Array>(chunk.getColumnVector(1));
  const known = numbersOf<Float64Array>(chunk.getColumnVector(2));
  const deleted = readerOf(chunk.getColumnVector(3), { kind: 'bool' });
  const order = orderReader(chunk, 4, source);
  const first = 6 + (source.createdOrder === undefined ? 0 : 1);
  const columns = eventColumns.map((name, i) => {
    return readerOf(chunk.getColumnVector(first + i), streamedType(columnType(source, name)));
  });
  return (row) => ({
    eventMicros: events[row] as number,
    knownMicros: known[row] as number,
    order: order(row),
    ...(deleted(row) === true && { deleted: true }),
    values: columns.map((value) => value(row)),
  });
}

/** The chunk that is being read and the row in it. */
function createCursor<Chunk>(chunks: AsyncGenerator<Chunk> | undefined) {
  const cursor = {
    chunk: undefined as Chunk | undefined,
    at: 0,
    async load(): Promise<Chunk | undefined> {
      cursor.chunk = (await chunks?.next())?.value as Chunk | undefined;
      cursor.at = 0;
      return cursor.chunk;
    },
    async close(): Promise<void> {
      await chunks?.return(undefined);
    },
  };
  return cursor;
}

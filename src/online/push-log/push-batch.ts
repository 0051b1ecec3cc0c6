// One push request as it lies in the log: a frame, so that it is there whole or not at all.

import {
  type Field,
  INVALID,
  type Micros,
  parseJson,
  parseValue,
  type Row,
  stringifyJson,
  toJson,
  type Value,
} from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';

/** One event as the log holds it; the row has the source's declared columns, derived ones are computed by readers. */
export interface PushedRow {
  readonly knownMicros: Micros;
  /** Order of arrival within the source; grows. */
  readonly order: number;
  readonly row: Row;
}

export interface PushBatch {
  readonly idempotencyKey?: string;
  readonly rows: readonly PushedRow[];
}

export function encodeBatch(source: SourceSpec, batch: PushBatch): string {
  return stringifyJson({
    key: batch.idempotencyKey,
    columns: source.columns.map((column) => column.name),
    known: batch.rows.map((row) => row.knownMicros),
    order: batch.rows.map((row) => row.order),
    rows: batch.rows.map(({ row }) => valuesToJson(source, row)),
  });
}

/** A row's declared values as plain JSON data, in the source's order. */
export function valuesToJson(source: SourceSpec, row: Row): unknown[] {
  return source.columns.map(({ name, type }) => toJson(type, row[name] ?? null));
}

/** Reads a batch by column name: a column added since is null, one of another type by now is null too. */
export function decodeBatch(source: SourceSpec, payload: string): PushBatch {
  // The frame's checksum held, so this is what `encodeBatch` wrote.
  const stored = parseJson(payload) as unknown as StoredBatch;
  const places = source.columns.map((column) => [column, stored.columns.indexOf(column.name)] as const);
  const rows = stored.rows.map((values, index) => ({
    knownMicros: stored.known[index] as number,
    order: stored.order[index] as number,
    row: Object.fromEntries(places.map(([column, place]) => [column.name, valueOf(column, values[place])])),
  }));
  return stored.key === undefined ? { rows } : { idempotencyKey: stored.key, rows };
}

/** The last known time in a batch, without reading its rows. */
export function lastKnown(payload: string): Micros {
  const stored = parseJson(payload) as unknown as StoredBatch;
  return stored.known.reduce((last, known) => Math.max(last, known), -Infinity);
}

interface StoredBatch {
  readonly key?: string;
  readonly columns: readonly string[];
  readonly known: readonly Micros[];
  readonly order: readonly number[];
  readonly rows: readonly (readonly unknown[])[];
}

function valueOf({ type }: Field, json: unknown): Value {
  const value = parseValue(type, json);
  return value === INVALID ? null : value;
}

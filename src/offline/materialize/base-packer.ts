// Bases of `latest` rows in bulk, from columns of numbers. Where every column is of a fixed width, a base is a template
// with the row's values laid in; the template and the places in it are taken from what `packBase` gives for samples, so
// the layout stays in one place.

import type { DataType, Micros, Value } from '../../core/index.ts';
import { type LatestRow, packBase, type ViewCodec } from '../../online/index.ts';
import type { ValueReader } from '../duckdb/vector-values.ts';

/** Rows of a chunk, by column. */
export interface LatestRows {
  readonly size: number;
  readonly eventMicros: Float64Array;
  readonly knownMicros: Float64Array;
  /** By row. */
  readonly orders: readonly Uint8Array[];
  isDeleted(row: number): boolean;
  /** In the order of the view's latest columns. */
  readonly columns: readonly ColumnValues[];
}

export interface ColumnValues {
  readonly read: ValueReader;
  /** The same where no value is null and all are numbers. */
  readonly numbers?: ArrayLike<number>;
}

export type BasePacker = (rows: LatestRows) => readonly Uint8Array[];

/** `asOf`: the known time up to which facts are folded. */
export function createBasePacker(codec: ViewCodec, run: number, asOf: Micros): BasePacker {
  const types = codec.rowCodec.schema.columns.map(({ type }) => type);
  const pack = (latest: LatestRow) => packBase(codec, run, asOf, { latest, tiles: null });
  const canLay = codec.aggregator === null && types.every((type) => SAMPLES[type.kind] !== undefined);
  const templates = new Map<number, Template>();
  return (rows) => {
    if (!canLay) {
      return Array.from({ length: rows.size }, (_, row) => pack(latestRow(rows, row)));
    }
    const packed = new Array<Uint8Array>(rows.size);
    // Orders are mostly of one length: the rows of each length go together.
    const byLength = new Map<number, number[]>();
    for (let row = 0; row < rows.size; row++) {
      const { length } = rows.orders[row] as Uint8Array;
      const others = byLength.get(length);
      if (others === undefined) byLength.set(length, [row]);
      else others.push(row);
    }
    for (const [length, members] of byLength) {
      const known = templates.get(length);
      const template = known ?? sampleTemplate(types, length, pack);
      if (known === undefined) templates.set(length, template);
      layIn(template, rows, members, packed);
    }
    return packed;
  };
}

export function latestRow(rows: LatestRows, row: number): LatestRow {
  return {
    eventMicros: rows.eventMicros[row] as number,
    knownMicros: rows.knownMicros[row] as number,
    order: rows.orders[row] as Uint8Array,
    ...(rows.isDeleted(row) && { deleted: true }),
    values: rows.columns.map(({ read }) => read(row)),
  };
}

type Lay = (view: DataView, at: number, value: Value) => void;

// A value without a zero byte, and how it is laid in.
const SAMPLES: Partial<Record<DataType['kind'], { readonly zero: Value; readonly ones: Value; readonly lay: Lay }>> = {
  bool: { zero: false, ones: true, lay: (view, at, value) => view.setUint8(at, value === true ? 1 : 0) },
  int32: { zero: 0, ones: 0x01010101, lay: (view, at, value) => view.setInt32(at, value as number, true) },
  int64: { zero: 0n, ones: 0x0101010101010101n, lay: (view, at, value) => view.setBigInt64(at, value as bigint, true) },
  float32: { zero: 0, ones: onesFloat32(), lay: (view, at, value) => view.setFloat32(at, value as number, true) },
  float64: { zero: 0, ones: onesFloat64(), lay: layFloat64 },
  timestamp: { zero: 0, ones: onesFloat64(), lay: layFloat64 },
};

function layFloat64(view: DataView, at: number, value: Value): void {
  view.setFloat64(at, value as number, true);
}

function onesFloat64(): number {
  return new Float64Array(new Uint8Array(8).fill(1).buffer)[0] as number;
}

function onesFloat32(): number {
  return new Float32Array(new Uint8Array(4).fill(1).buffer)[0] as number;
}

interface Template {
  readonly bytes: Uint8Array;
  readonly eventAt: number;
  readonly knownAt: number;
  readonly orderAt: number;
  readonly deletedAt: number;
  readonly deletedBits: number;
  readonly columns: readonly {
    readonly at: number;
    readonly lay: Lay;
    readonly nullAt: number;
    readonly nullBits: number;
  }[];
}

function sampleTemplate(
  types: readonly DataType[],
  orderLength: number,
  pack: (row: LatestRow) => Uint8Array,
): Template {
  const zeros = types.map((type): Value => (SAMPLES[type.kind] as NonNullable<(typeof SAMPLES)['bool']>).zero);
  const row: LatestRow = { eventMicros: 0, knownMicros: 0, order: new Uint8Array(orderLength), values: zeros };
  const bytes = pack(row);
  /** Where a sample that differs in one thing differs first. */
  const placeOf = (other: LatestRow): number => {
    const sample = pack(other);
    const at = bytes.findIndex((byte, i) => byte !== sample[i]);
    if (at < 0 || sample.length !== bytes.length) throw new Error('a base’s layout has no fixed places');
    return at;
  };
  const bitsAt = (other: LatestRow, at: number) => (pack(other)[at] as number) ^ (bytes[at] as number);
  const deleted: LatestRow = { ...row, deleted: true };
  const deletedAt = placeOf(deleted);
  return {
    bytes,
    eventAt: placeOf({ ...row, eventMicros: onesFloat64() }),
    knownAt: placeOf({ ...row, knownMicros: onesFloat64() }),
    orderAt: orderLength === 0 ? 0 : placeOf({ ...row, order: new Uint8Array(orderLength).fill(1) }),
    deletedAt,
    deletedBits: bitsAt(deleted, deletedAt),
    columns: types.map((type, column) => {
      const { ones, lay } = SAMPLES[type.kind] as NonNullable<(typeof SAMPLES)['bool']>;
      const withNull: LatestRow = { ...row, values: zeros.with(column, null) };
      const nullAt = placeOf(withNull);
      const at = placeOf({ ...row, values: zeros.with(column, ones) });
      return { at, lay, nullAt, nullBits: bitsAt(withNull, nullAt) };
    }),
  };
}

function layIn(template: Template, rows: LatestRows, members: readonly number[], packed: Uint8Array[]): void {
  const size = template.bytes.length;
  const arena = fill(template.bytes, members.length);
  const view = new DataView(arena.buffer, arena.byteOffset, arena.byteLength);
  for (let i = 0, start = 0; i < members.length; i++, start += size) {
    const row = members[i] as number;
    view.setFloat64(start + template.eventAt, rows.eventMicros[row] as number, true);
    view.setFloat64(start + template.knownAt, rows.knownMicros[row] as number, true);
    const order = rows.orders[row] as Uint8Array;
    for (let byte = 0; byte < order.length; byte++) arena[start + template.orderAt + byte] = order[byte] as number;
    if (rows.isDeleted(row)) flip(arena, start + template.deletedAt, template.deletedBits);
    packed[row] = arena.subarray(start, start + size);
  }
  template.columns.forEach(({ at, lay, nullAt, nullBits }, column) => {
    const { read, numbers } = rows.columns[column] as ColumnValues;
    if (numbers !== undefined && lay === layFloat64) {
      for (let i = 0, to = at; i < members.length; i++, to += size) {
        view.setFloat64(to, numbers[members[i] as number] as number, true);
      }
      return;
    }
    for (let i = 0, start = 0; i < members.length; i++, start += size) {
      const value = read(members[i] as number);
      if (value === null) flip(arena, start + nullAt, nullBits);
      else lay(view, start + at, value);
    }
  });
}

function flip(bytes: Uint8Array, at: number, bits: number): void {
  bytes[at] = (bytes[at] as number) ^ bits;
}

/** The template over and over, by doubling what is there. */
function fill(template: Uint8Array, times: number): Buffer {
  const arena = Buffer.allocUnsafeSlow(template.length * times);
  arena.set(template);
  for (let filled = template.length; filled < arena.length; filled *= 2) arena.copyWithin(filled, 0, filled);
  return arena;
}

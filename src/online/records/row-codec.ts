// A row of one schema as packed bytes, compiled once per schema. Layout, little-endian:
// fingerprint 8 · event 8 · known 8 · flags 1 · null bitmap · fixed-width columns · ends of the variable
// columns (4 each) · their bytes. A column's place is known without reading the others.

import { type DataType, fixedWidth, type Micros, type Value } from '../../core/index.ts';
import { type ByteWriter, readFloat32, readFloat64, readInt32, readUint32 } from './bytes.ts';
import type { RowSchema } from './row-schema.ts';
import { readFixed, readVariable, writeFixed, writeVariable } from './value-codec.ts';
import type { ValueSink } from './value-sink.ts';

/** The times that order rows: by event, then known; ties are decided by their order, which lies beside a row. */
export interface RowTimes {
  readonly eventMicros: Micros;
  readonly knownMicros: Micros;
}

export interface PackedRow extends RowTimes {
  /** A tombstone: from its event time on the key has no row. */
  readonly deleted?: boolean;
  /** In the schema's order. */
  readonly values: readonly Value[];
}

export interface RowCodec {
  readonly schema: RowSchema;
  write(writer: ByteWriter, row: PackedRow): void;
  /** Value of column `column` of the row that starts at `at`; the row must be of this schema. */
  readColumn(bytes: Uint8Array, at: number, column: number): Value;
  /** Gives the sink the value that `readColumn` reads; false for null. */
  giveColumn(bytes: Uint8Array, at: number, column: number, sink: ValueSink): boolean;
  /** Where a number of the column lies in a row, as its little-endian bytes; undefined for what is no such number. */
  numberPlace(column: number): NumberPlace | undefined;
  /** Whether the row of this schema at `at`, which ends at `end`, has all that it says it has. */
  isWhole(bytes: Uint8Array, at: number, end: number): boolean;
  /** Whether the row at `at` was written under this schema. */
  matches(bytes: Uint8Array, at: number): boolean;
}

/** Of a number in a row, from the row's start. */
export interface NumberPlace {
  readonly offset: number;
  readonly width: 4 | 8;
  /** The byte of the nulls, and the column's bit in it. */
  readonly nullAt: number;
  readonly nullBit: number;
}

/** Bytes of a row before its nulls. */
export const ROW_HEADER = 25;
/** Where a row's times lie in it. */
export const ROW_AT = { event: 8, known: 16 } as const;
const DELETED = 1;

export function compileRowCodec(schema: RowSchema): RowCodec {
  const types = schema.columns.map((column) => column.type);
  const high = Number.parseInt(schema.fingerprint.slice(0, 8), 16);
  const low = Number.parseInt(schema.fingerprint.slice(8, 16), 16);
  const fixedStart = ROW_HEADER + ((types.length + 7) >> 3);
  const places: number[] = [];
  let fixedEnd = fixedStart;
  let variables = 0;
  for (const type of types) {
    const width = fixedWidth(type);
    places.push(width > 0 ? fixedEnd : variables++);
    fixedEnd += width;
  }
  const widths = types.map(fixedWidth);
  const isFixed = widths.map((width) => width > 0);
  const dataStart = fixedEnd + 4 * variables;
  const forms = Uint8Array.from(types, formOf);
  /** Where a fixed column's value lies, or the end of another's. */
  const offsets = Int32Array.from(places, (place, column) => (isFixed[column] === true ? place : fixedEnd + 4 * place));

  return {
    schema,
    write(writer, { eventMicros, knownMicros, deleted, values }) {
      const start = writer.length;
      writer.uint32(high);
      writer.uint32(low);
      writer.float64(eventMicros);
      writer.float64(knownMicros);
      writer.uint8(deleted === true ? DELETED : 0);
      writer.zeros(fixedStart - ROW_HEADER);
      for (let column = 0; column < types.length; column++) {
        const value = values[column] ?? null;
        if (value === null) writer.setBit(start + ROW_HEADER, column);
        const width = widths[column] as number;
        if (width === 0) continue;
        if (value === null) writer.zeros(width);
        else writeFixed(writer, types[column] as DataType, value);
      }
      if (variables === 0) return;
      writer.zeros(4 * variables);
      for (let column = 0; column < types.length; column++) {
        if (isFixed[column]) continue;
        const value = values[column] ?? null;
        if (value !== null) writeVariable(writer, types[column] as DataType, value);
        writer.patchUint32(start + fixedEnd + 4 * (places[column] as number), writer.length - start - dataStart);
      }
    },
    readColumn(bytes, at, column) {
      if (((bytes[at + ROW_HEADER + (column >> 3)] as number) & (1 << (column & 7))) !== 0) return null;
      const place = places[column] as number;
      // `column` is one of the schema's.
      const type = types[column] as DataType;
      if (isFixed[column]) return readFixed(type, bytes, at + place);
      const ends = at + fixedEnd;
      const from = place === 0 ? 0 : readUint32(bytes, ends + 4 * (place - 1));
      return readVariable(type, bytes, at + dataStart + from, at + dataStart + readUint32(bytes, ends + 4 * place));
    },
    giveColumn(bytes, at, column, sink) {
      if (((bytes[at + ROW_HEADER + (column >> 3)] as number) & (1 << (column & 7))) !== 0) {
        sink.none();
        return false;
      }
      const offset = at + (offsets[column] as number);
      // By a number and in one place: a call by type would be slower than what it does.
      switch (forms[column]) {
        case FORM.float64:
          sink.number(readFloat64(bytes, offset));
          return true;
        case FORM.int64:
          sink.int64(readInt32(bytes, offset + 4), readUint32(bytes, offset));
          return true;
        case FORM.int32:
          sink.number(readInt32(bytes, offset));
          return true;
        case FORM.float32:
          sink.number(readFloat32(bytes, offset));
          return true;
        case FORM.bool:
          sink.bool(bytes[offset] === 1);
          return true;
        case FORM.timestamp:
          sink.timestamp(readFloat64(bytes, offset));
          return true;
        default: {
          const from = at + dataStart + (places[column] === 0 ? 0 : readUint32(bytes, offset - 4));
          const to = at + dataStart + readUint32(bytes, offset);
          if (forms[column] === FORM.string) sink.text(bytes, from, to);
          else sink.value(types[column] as DataType, readVariable(types[column] as DataType, bytes, from, to));
          return true;
        }
      }
    },
    numberPlace(column) {
      const form = forms[column] ?? FORM.value;
      if (form < FORM.int32 || form > FORM.float64) return undefined;
      return {
        offset: offsets[column] as number,
        width: widths[column] === 8 ? 8 : 4,
        nullAt: ROW_HEADER + (column >> 3),
        nullBit: 1 << (column & 7),
      };
    },
    isWhole(bytes, at, end) {
      const size = end - at - dataStart;
      let last = 0;
      for (let variable = 0; variable < variables; variable++) {
        if (size < 0) return false;
        const to = readUint32(bytes, at + fixedEnd + 4 * variable);
        if (to < last) return false;
        last = to;
      }
      return last <= size;
    },
    matches: (bytes, at) => readUint32(bytes, at) === high && readUint32(bytes, at + 4) === low,
  };
}

/** How a column is given to a sink. */
const FORM = { value: 0, string: 1, bool: 2, int32: 3, int64: 4, float32: 5, float64: 6, timestamp: 7 } as const;

function formOf({ kind }: DataType): number {
  return kind === 'bytes' || kind === 'vector' || kind === 'list' ? FORM.value : FORM[kind];
}

/** The fingerprint of the schema under which the row at `at` was written. */
export function rowFingerprint(bytes: Uint8Array, at: number): string {
  return hex(readUint32(bytes, at)) + hex(readUint32(bytes, at + 4));
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

export const rowEvent = (bytes: Uint8Array, at: number): Micros => readFloat64(bytes, at + ROW_AT.event);
export const rowKnown = (bytes: Uint8Array, at: number): Micros => readFloat64(bytes, at + ROW_AT.known);
export const isRowDeleted = (bytes: Uint8Array, at: number): boolean => ((bytes[at + 24] as number) & DELETED) !== 0;

// Rows of an entry as JSON and back, compiled once per source. Every text is exact under the platform's own JSON.parse,
// which is much quicker than one that looks at each number: an int64 past 2^53 is a string, and so is −0.

import {
  type DataType,
  INVALID,
  type Micros,
  parseValue,
  type Row,
  sameType,
  toJson,
  typeName,
  type Value,
} from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { PushedRow } from '../event-log.ts';

export function encodeRows(source: SourceSpec, rows: readonly PushedRow[]): string {
  let codec = encoders.get(source);
  if (codec === undefined) encoders.set(source, (codec = compileEncoder(source)));
  return codec(rows);
}

/** Reads by column name: a column added since is null; one of another type by now is read as JSON of it, or null. */
export function decodeRows(source: SourceSpec, body: string): PushedRow[] {
  // The frame's checksum held, so this is what `encodeRows` wrote.
  const { columns, known, rows } = JSON.parse(body) as StoredRows;
  let byColumns = decoders.get(source);
  if (byColumns === undefined) decoders.set(source, (byColumns = new Map()));
  const id = columns.join('\n');
  let decode = byColumns.get(id);
  if (decode === undefined) byColumns.set(id, (decode = compileDecoder(source, columns)));
  const toRow = decode;
  return rows.map((values, index) => ({ row: toRow(values), knownMicros: known[index] as number }));
}

interface StoredRows {
  /** `name:type`, in the order of each row's values. */
  readonly columns: readonly string[];
  readonly known: readonly Micros[];
  readonly rows: readonly (readonly unknown[])[];
}

type Encoder = (rows: readonly PushedRow[]) => string;
type Decoder = (values: readonly unknown[]) => Row;

const encoders = new WeakMap<SourceSpec, Encoder>();
const decoders = new WeakMap<SourceSpec, Map<string, Decoder>>();

function compileEncoder({ columns }: SourceSpec): Encoder {
  const stored = JSON.stringify(columns.map(({ name, type }) => `${name}:${typeName(type)}`));
  const names = columns.map(({ name }) => name);
  const toPlain = columns.map(({ type }) => plainOf(type));
  const valuesOf = ({ row }: PushedRow): unknown[] => {
    const values: unknown[] = new Array(names.length);
    for (let i = 0; i < names.length; i++) {
      const value = row[names[i] as string];
      values[i] = value === null || value === undefined ? null : (toPlain[i] as ToPlain)(value);
    }
    return values;
  };
  return (rows) => {
    const known = rows.map(({ knownMicros }) => knownMicros);
    // The platform's JSON.stringify of plain arrays is quicker than texts put together one by one.
    return `{"columns":${stored},"known":[${known.join(',')}],"rows":${JSON.stringify(rows.map(valuesOf))}}`;
  };
}

type ToPlain = (value: NonNullable<Value>) => unknown;

// A source's rows were read by its columns' types, which is why the casts hold.
function plainOf(type: DataType): ToPlain {
  switch (type.kind) {
    case 'bool':
    case 'string':
      return (value) => value;
    case 'int32':
    case 'float32':
    case 'float64':
    case 'timestamp':
      return (value) => plainNumber(value as number);
    case 'int64':
      return (value) => {
        // Throws for what is no bigint: such a text could not be read again.
        const whole = BigInt.asIntN(64, value as bigint);
        const number = Number(whole);
        return Number.isSafeInteger(number) ? number : whole.toString();
      };
    case 'bytes':
      return (value) => {
        const { buffer, byteOffset, length } = value as Uint8Array;
        return Buffer.from(buffer, byteOffset, length).toString('base64');
      };
    case 'list': {
      const item = plainOf(type.of);
      return (value) => (value as readonly Value[]).map((one) => (one === null ? null : item(one)));
    }
    case 'vector':
      return (value) => Array.from(value as Float32Array, plainNumber);
  }
}

function plainNumber(value: number): number | string {
  if (value === 0) return Object.is(value, -0) ? '-0' : 0;
  return Number.isFinite(value) ? value : String(value);
}

function compileDecoder(source: SourceSpec, stored: readonly string[]): Decoder {
  const places = new Map(
    stored.map((column, place) => {
      const split = column.lastIndexOf(':');
      return [column.slice(0, split), { place, type: typeOf(column.slice(split + 1)) }] as const;
    }),
  );
  const columns = source.columns.map(({ name, type }) => {
    const found = places.get(name);
    return { name, place: found?.place ?? -1, read: found === undefined ? () => null : readerOf(found.type, type) };
  });
  return (values) => {
    const row: Record<string, Value> = {};
    for (const { name, place, read } of columns) {
      const json = values[place];
      row[name] = json === null || json === undefined ? null : read(json);
    }
    return row;
  };
}

type Read = (json: unknown) => Value;

function readerOf(stored: DataType, wanted: DataType): Read {
  const read = valueOf(stored);
  if (sameType(stored, wanted)) return read;
  return (json) => {
    const value = parseValue(wanted, toJson(stored, read(json)));
    return value === INVALID ? null : value;
  };
}

// The inverse of `plainOf`.
function valueOf(type: DataType): Read {
  switch (type.kind) {
    case 'bool':
    case 'string':
      return (json) => json as boolean | string;
    case 'int32':
    case 'float32':
    case 'float64':
    case 'timestamp':
      return Number;
    case 'int64':
      return (json) => BigInt(json as number | string);
    case 'bytes':
      return (json) => new Uint8Array(Buffer.from(json as string, 'base64'));
    case 'list': {
      const item = valueOf(type.of);
      return (json) => (json as readonly unknown[]).map((one) => (one === null ? null : item(one)));
    }
    case 'vector':
      return (json) => Float32Array.from(json as readonly unknown[], Number);
  }
}

// The inverse of core's `typeName`.
function typeOf(name: string): DataType {
  const [, outer, inner = ''] = /^(list|vector)\((.*)\)$/.exec(name) ?? [];
  if (outer === 'list') return { kind: 'list', of: typeOf(inner) };
  if (outer === 'vector') return { kind: 'vector', size: Number(inner) };
  // The other kinds are their own names.
  return { kind: name as 'bool' };
}

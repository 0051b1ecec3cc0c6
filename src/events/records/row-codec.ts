// Rows of an entry as bytes and back, compiled once per source: the plain numbers as a block of doubles, which is many times
// as quick as their digits, the rest as JSON. Every text is exact under the platform's own JSON.parse, which is much
// quicker than one that looks at each number: an int64 past 2^53 is a string, and so is −0.

import { type DataType, isPlainNumber, type Micros, sameType, typeName, type Value } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { PushedRow } from '../event-log.ts';
import { converterOf } from './convert-value.ts';
import { NUMBER_BYTES, readNumber, writeNumber } from './number-block.ts';

/** The length of the JSON as 4 bytes · the JSON · a double for each plain number of each row. */
export function encodeRows(source: SourceSpec, rows: readonly PushedRow[]): Buffer {
  let codec = encoders.get(source);
  if (codec === undefined) encoders.set(source, (codec = compileEncoder(source)));
  return codec(rows);
}

/** Reads by column name: a column added since is null; one of another type by now is converted as `converterOf` says. */
export function decodeRows(source: SourceSpec, body: Buffer): PushedRow[] {
  // The frame's checksum held, so this is what `encodeRows` wrote.
  const numbersAt = TEXT_AT + body.readUInt32LE(0);
  const { columns, known, rows } = JSON.parse(body.toString('utf8', TEXT_AT, numbersAt)) as StoredRows;
  let byColumns = decoders.get(source);
  if (byColumns === undefined) decoders.set(source, (byColumns = new Map()));
  // A name may hold any sign.
  const id = JSON.stringify(columns);
  let decode = byColumns.get(id);
  if (decode === undefined) byColumns.set(id, (decode = compileDecoder(source, columns)));
  const { toRow, rowBytes } = decode;
  return rows.map((values, index) => {
    const knownMicros = typeof known === 'number' ? known : (known[index] as Micros);
    return { ...toRow(values, body, numbersAt + index * rowBytes), knownMicros };
  });
}

interface StoredRows {
  /** `name:type`, of all columns. */
  readonly columns: readonly string[];
  /** One for each row, or one for all. */
  readonly known: Micros | readonly Micros[];
  /** Of each row the values that are no plain numbers, in the order of their columns. */
  readonly rows: readonly (readonly unknown[])[];
}

const TEXT_AT = 4;

type Encoder = (rows: readonly PushedRow[]) => Buffer;
interface Decoder {
  readonly rowBytes: number;
  readonly toRow: (values: readonly unknown[], body: Buffer, at: number) => Pick<PushedRow, 'row' | 'lost'>;
}

const encoders = new WeakMap<SourceSpec, Encoder>();
const decoders = new WeakMap<SourceSpec, Map<string, Decoder>>();

function compileEncoder({ columns }: SourceSpec): Encoder {
  const stored = JSON.stringify(columns.map(({ name, type }) => `${name}:${typeName(type)}`));
  const start = Buffer.from(`{"columns":${stored},"known":`);
  const numbers = columns.filter(({ type }) => isPlainNumber(type)).map(({ name }) => name);
  const others = columns.filter(({ type }) => !isPlainNumber(type));
  const names = others.map(({ name }) => name);
  const toPlain = others.map(({ type }) => plainOf(type));
  const valuesOf = ({ row }: PushedRow): unknown[] => {
    const values: unknown[] = new Array(names.length);
    for (let i = 0; i < names.length; i++) {
      const value = row[names[i] as string];
      values[i] = value === null || value === undefined ? null : (toPlain[i] as ToPlain)(value);
    }
    return values;
  };
  return (rows) => {
    const rest = `${JSON.stringify(knownOf(rows))},"rows":${JSON.stringify(rows.map(valuesOf))}}`;
    const length = start.length + Buffer.byteLength(rest);
    const body = Buffer.allocUnsafe(TEXT_AT + length + rows.length * numbers.length * NUMBER_BYTES);
    body.writeUInt32LE(length, 0);
    body.set(start, TEXT_AT);
    body.write(rest, TEXT_AT + start.length);
    let at = TEXT_AT + length;
    for (const { row } of rows) {
      for (let i = 0; i < numbers.length; i++, at += NUMBER_BYTES) {
        // A source's rows were read by its columns' types.
        writeNumber(body, at, row[numbers[i] as string] as number | null | undefined);
      }
    }
    return body;
  };
}

// Rows that came together are mostly known since they came.
function knownOf(rows: readonly PushedRow[]): Micros | readonly Micros[] {
  const first = rows[0]?.knownMicros ?? 0;
  return rows.every(({ knownMicros }) => knownMicros === first) ? first : rows.map(({ knownMicros }) => knownMicros);
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
  let [numbers, others] = [0, 0];
  const places = new Map(
    stored.map((column) => {
      const split = column.lastIndexOf(':');
      const type = typeOf(column.slice(split + 1));
      const isNumber = isPlainNumber(type);
      return [column.slice(0, split), { type, isNumber, place: isNumber ? numbers++ : others++ }] as const;
    }),
  );
  const columns = source.columns.map(({ name, type }) => {
    const found = places.get(name);
    const read = found === undefined ? () => null : readerOf(found.type, type);
    const isConverted = found !== undefined && !sameType(found.type, type);
    return { name, isNumber: found?.isNumber === true, place: found?.place ?? -1, read, isConverted };
  });
  return {
    rowBytes: numbers * NUMBER_BYTES,
    toRow(values, body, at) {
      const row: Record<string, Value> = {};
      let lost: string[] | undefined;
      for (const { name, isNumber, place, read, isConverted } of columns) {
        const plain = isNumber ? readNumber(body, at + place * NUMBER_BYTES) : values[place];
        const value = plain === null || plain === undefined ? null : read(plain);
        row[name] = value;
        if (isConverted && isLost(plain, value)) (lost ??= []).push(name);
      }
      return lost === undefined ? { row } : { row, lost };
    },
  };
}

/** Whether a value, or an item of a list, is null that was none. */
function isLost(json: unknown, value: Value): boolean {
  if (json === null || json === undefined) return false;
  if (value === null) return true;
  return Array.isArray(json) && Array.isArray(value) && json.some((item, i) => isLost(item, value[i] as Value));
}

type Read = (json: unknown) => Value;

function readerOf(stored: DataType, wanted: DataType): Read {
  const read = valueOf(stored);
  if (sameType(stored, wanted)) return read;
  const convert = converterOf(stored, wanted);
  return (json) => convert(read(json));
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

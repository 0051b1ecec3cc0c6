// Avro messages. All 64 bits of a long are kept; what a time counts is told by the schema's logical type.

import avro from 'avsc';
import { type Field, messageOf } from '../../core/index.ts';
import { type ColumnsOf, type Decode, Undecodable } from './decoder.ts';
import { jsonOf, type TimeUnit } from './json-values.ts';

/** Reads records of one schema. `others`: those that it names, each after what it names itself. Throws what a schema's text is not. */
export function avroDecoder(
  schema: unknown,
  { columns }: ColumnsOf,
  timeUnit?: TimeUnit,
  others: readonly unknown[] = [],
): Decode {
  const names: Record<string, unknown> = {};
  // Each type is in it from when it is read on.
  const registry = { long: LONG };
  const typeOf = (one: unknown): avro.Type => {
    collectNames(one, undefined, names);
    return avro.Type.forSchema(withPlainLongs(one) as avro.Schema, { registry });
  };
  others.forEach(typeOf);
  const type = typeOf(schema);
  const fields = columns.map((column) => compileField(column, fieldOf(schema, column.name), names, timeUnit));
  return (value) => {
    let record: Record<string, unknown>;
    try {
      record = type.fromBuffer(Buffer.from(value.buffer, value.byteOffset, value.byteLength)) as typeof record;
    } catch (error) {
      throw new Undecodable(`it is no Avro of the schema: ${messageOf(error)}`);
    }
    if (record === null || typeof record !== 'object') throw new Undecodable('its schema is that of no record');
    const row: Record<string, unknown> = {};
    for (const { name, read } of fields) row[name] = read(record[name]);
    return row;
  };
}

const LONG = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer(value: bigint) {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(value);
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
});

// The library takes ours for a long only where that stands by itself.
function withPlainLongs(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withPlainLongs);
  if (!isObject(schema)) return schema;
  // A field has a name, and says its type the same way.
  if (schema['type'] === 'long' && schema['name'] === undefined) return 'long';
  return Object.fromEntries(
    Object.entries(schema).map(([name, inner]) => [name, NESTING.includes(name) ? withPlainLongs(inner) : inner]),
  );
}

/** Members of a schema that hold others. */
const NESTING = ['type', 'items', 'values', 'fields'];

type Json = Readonly<Record<string, unknown>>;

const UNITS: Readonly<Record<string, TimeUnit>> = {
  'timestamp-millis': 'ms',
  'timestamp-micros': 'us',
  'timestamp-nanos': 'ns',
  'local-timestamp-millis': 'ms',
  'local-timestamp-micros': 'us',
  'local-timestamp-nanos': 'ns',
};
const SECONDS_PER_DAY = 86_400;

interface ReadField {
  readonly name: string;
  read(value: unknown): unknown;
}

function compileField(
  { name, type }: Field,
  declared: unknown,
  names: Json,
  timeUnit: TimeUnit | undefined,
): ReadField {
  const own = itemOf(branchOf(declared, names), names);
  const logical = isObject(own) ? own['logicalType'] : undefined;
  if (logical === 'date') {
    const inDays = eachOf((value) => (typeof value === 'number' ? value * SECONDS_PER_DAY : value));
    return { name, read: (value) => jsonOf(inDays(value), type, 's') };
  }
  if (logical === 'decimal') {
    const scale = 10n ** BigInt(Number((own as Json)['scale'] ?? 0));
    const decimal = eachOf((value) => {
      if (!(value instanceof Uint8Array)) return value;
      const whole = unscaled(value);
      // A double would lose digits of what an int64 holds.
      return type.kind === 'int64' && whole % scale === 0n ? whole / scale : Number(whole) / Number(scale);
    });
    return { name, read: (value) => jsonOf(decimal(value), type, undefined) };
  }
  const unit = typeof logical === 'string' ? (UNITS[logical] ?? timeUnit) : timeUnit;
  return { name, read: (value) => jsonOf(value, type, unit) };
}

/** Of an array what each item is. */
function eachOf(read: (value: unknown) => unknown): (value: unknown) => unknown {
  return (value) => (Array.isArray(value) ? value.map(read) : read(value));
}

/** Of a decimal: a whole number in two's complement, the greatest byte first. */
function unscaled(bytes: Uint8Array): bigint {
  const hex = Buffer.from(bytes).toString('hex');
  return hex === '' ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
}

function fieldOf(schema: unknown, name: string): unknown {
  const fields = isObject(schema) && Array.isArray(schema['fields']) ? (schema['fields'] as readonly unknown[]) : [];
  const field = fields.find((one) => isObject(one) && one['name'] === name);
  return isObject(field) ? field['type'] : undefined;
}

/** Of a union with null, the other. */
function branchOf(type: unknown, names: Json): unknown {
  if (Array.isArray(type))
    return branchOf(
      type.find((one) => one !== 'null'),
      names,
    );
  if (typeof type === 'string' && names[type] !== undefined) return names[type];
  return type;
}

/** Of an array, what it holds. */
function itemOf(type: unknown, names: Json): unknown {
  return isObject(type) && type['type'] === 'array' ? branchOf(type['items'], names) : type;
}

/** Types that are named once and meant again by their names. */
function collectNames(schema: unknown, space: string | undefined, names: Record<string, unknown>): void {
  if (Array.isArray(schema)) for (const one of schema) collectNames(one, space, names);
  if (!isObject(schema)) return;
  const own = typeof schema['namespace'] === 'string' ? schema['namespace'] : space;
  if (typeof schema['name'] === 'string' && typeof schema['type'] === 'string') {
    names[schema['name']] = schema;
    if (own !== undefined) names[`${own}.${schema['name']}`] = schema;
  }
  for (const member of NESTING) {
    if (typeof schema[member] === 'object') collectNames(schema[member], own, names);
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Avro messages. All 64 bits of a long are kept; what a time counts is told by the schema's logical type.

import avro from 'avsc';
import { type DataType, messageOf } from '../../core/index.ts';
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
  const types = new Map(
    type instanceof avro.types.RecordType ? type.fields.map((field) => [field.name, field.type]) : [],
  );
  const fields = columns.map(({ name, type: column }): ReadField => {
    return { name, read: compileRead(types.get(name), fieldOf(schema, name), column, { names, timeUnit }) };
  });
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

/** Gives what stands for a value of one type of Avro in the JSON of a push. */
type Read = (value: unknown) => unknown;

interface ReadField {
  readonly name: string;
  readonly read: Read;
}

/** What values of one schema are read by. */
interface Reading {
  readonly names: Json;
  readonly timeUnit: TimeUnit | undefined;
}

/** Of a field of type `type`, which the schema declares as `declared`, for a column. */
function compileRead(type: avro.Type | undefined, declared: unknown, column: DataType, reading: Reading): Read {
  const own = namedType(declared, reading.names);
  if (isUnion(type)) return compileUnion(type, own, column, reading);
  if (type instanceof avro.types.ArrayType) {
    const items = isObject(own) ? own['items'] : undefined;
    const read = compileRead(type.itemsType, items, itemOf(column), reading);
    // Only a list has items. Any other column refuses the array where the row is checked.
    return (value) => (Array.isArray(value) ? value.map(read) : value);
  }
  if (type instanceof avro.types.MapType || type instanceof avro.types.RecordType) return plainOf(type);
  return compileScalar(own, column, reading.timeUnit);
}

// The branch says what the value means: a date and a time may both be numbers.
function compileUnion(type: UnionType, declared: unknown, column: DataType, reading: Reading): Read {
  const reads = type.types.map((branch, at) =>
    compileRead(branch, Array.isArray(declared) ? declared[at] : undefined, column, reading),
  );
  return ofBranches(type, reads);
}

/** Reads a value of a union by the one of `reads` that is its branch's. */
function ofBranches(type: UnionType, reads: readonly Read[]): Read {
  const branches = type.types.map((branch, at) => ({ branch, read: reads[at] as Read }));
  const others = branches.filter(({ branch }) => branch.typeName !== 'null');
  // The library gives a value as it is where each branch has values of another kind ("unwrapped"), else as an object with the
  // branch's name.
  if (type instanceof avro.types.WrappedUnionType) {
    const byName = new Map(others.map(({ branch, read }) => [branch.branchName, read]));
    return (value) => {
      const [entry] = isObject(value) ? Object.entries(value) : [];
      return entry === undefined ? null : (byName.get(entry[0])?.(entry[1]) ?? null);
    };
  }
  const [only] = others;
  if (only === undefined) return () => null;
  if (others.length === 1) return (value) => (value === null ? null : only.read(value));
  return (value) => others.find(({ branch }) => isOf(branch, value))?.read(value) ?? null;
}

// The library's own check of a number throws for a bigint, which our longs are.
function isOf(branch: avro.Type, value: unknown): boolean {
  const isLong = branch instanceof avro.types.LongType;
  return isLong || typeof value === 'bigint' ? isLong && typeof value === 'bigint' : branch.isValid(value);
}

type UnionType = avro.types.UnwrappedUnionType | avro.types.WrappedUnionType;

function isUnion(type: avro.Type | undefined): type is UnionType {
  return type instanceof avro.types.UnwrappedUnionType || type instanceof avro.types.WrappedUnionType;
}

function itemOf(column: DataType): DataType {
  if (column.kind === 'list') return column.of;
  return column.kind === 'vector' ? { kind: 'float64' } : column;
}

/** Values of maps and records, which no column holds, without the names of branches. A record may hold its own type. */
function plainOf(type: avro.Type, known = new Map<avro.Type, Read>()): Read {
  const found = known.get(type);
  if (found !== undefined) return (value) => (known.get(type) ?? found)(value);
  known.set(type, (value) => value);
  const read = compilePlain(type, (inner) => plainOf(inner, known));
  known.set(type, read);
  return read;
}

function compilePlain(type: avro.Type, of: (inner: avro.Type) => Read): Read {
  if (isUnion(type)) return ofBranches(type, type.types.map(of));
  if (type instanceof avro.types.ArrayType) {
    const read = of(type.itemsType);
    return (value) => (Array.isArray(value) ? value.map(read) : value);
  }
  if (type instanceof avro.types.MapType) {
    const read = of(type.valuesType as avro.Type);
    return (value) =>
      isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, read(inner)])) : value;
  }
  if (type instanceof avro.types.RecordType) {
    const reads = type.fields.map((field) => [field.name, of(field.type)] as const);
    return (value) =>
      isObject(value) ? Object.fromEntries(reads.map(([name, read]) => [name, read(value[name])])) : value;
  }
  return (value) => value;
}

function compileScalar(own: unknown, type: DataType, timeUnit: TimeUnit | undefined): Read {
  const logical = isObject(own) ? own['logicalType'] : undefined;
  if (logical === 'date')
    return (value) => jsonOf(typeof value === 'number' ? value * SECONDS_PER_DAY : value, type, 's');
  if (logical === 'decimal') {
    const scale = 10n ** BigInt(Number((own as Json)['scale'] ?? 0));
    const decimal = (value: unknown): unknown => {
      if (!(value instanceof Uint8Array)) return value;
      const whole = unscaled(value);
      // A double would lose digits of what an int64 holds.
      return type.kind === 'int64' && whole % scale === 0n ? whole / scale : Number(whole) / Number(scale);
    };
    return (value) => jsonOf(decimal(value), type, undefined);
  }
  const unit = typeof logical === 'string' ? (UNITS[logical] ?? timeUnit) : timeUnit;
  return (value) => jsonOf(value, type, unit);
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

/** What a name stands for; any other type as it is. */
function namedType(type: unknown, names: Json): unknown {
  return typeof type === 'string' && names[type] !== undefined ? names[type] : type;
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

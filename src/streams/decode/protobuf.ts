// Protobuf messages, by a schema that is read when consuming starts or comes from a registry. A field that says whether it
// is set and is not set is null; of others the default is a value like any.

import protobuf from 'protobufjs';
import { type Field, messageOf } from '../../core/index.ts';
import { type ColumnsOf, type Decode, Undecodable } from './decoder.ts';
import { jsonOf, type TimeUnit } from './json-values.ts';

/** Reads messages of one type. */
export function protobufDecoder(type: protobuf.Type, { columns }: ColumnsOf, timeUnit?: TimeUnit): Decode {
  const fields = columns.map((column) => compileField(column, type.fields[column.name], timeUnit));
  return (value) => {
    let message: Readonly<Record<string, unknown>>;
    try {
      message = type.decode(value) as unknown as typeof message;
    } catch (error) {
      throw new Undecodable(`it is no ${type.name} in Protobuf: ${messageOf(error)}`);
    }
    const row: Record<string, unknown> = {};
    for (const { name, read } of fields) row[name] = read(message);
    return row;
  };
}

/** All message types of a schema, those within others too, but not Google's own. */
export function messageTypes(namespace: protobuf.NamespaceBase): protobuf.Type[] {
  return namespace.nestedArray.flatMap((one) => {
    if (one.fullName === '.google') return [];
    if (one instanceof protobuf.Type) return [one, ...messageTypes(one)];
    return one instanceof protobuf.Namespace ? messageTypes(one) : [];
  });
}

interface ReadField {
  readonly name: string;
  read(message: Readonly<Record<string, unknown>>): unknown;
}

function compileField(
  { name, type }: Field,
  field: protobuf.Field | undefined,
  timeUnit: TimeUnit | undefined,
): ReadField {
  if (field === undefined) return { name, read: () => null };
  const { resolvedType } = field.resolve();
  const isOptional = field.hasPresence || (resolvedType instanceof protobuf.Type && !field.repeated);
  // Of bytes that are not there the client gives an empty array.
  const plain = field.type === 'bytes' && !field.repeated ? bytesOf : plainOf(resolvedType);
  const unit = isTimestamp(resolvedType) ? 'ns' : timeUnit;
  return {
    name,
    read(message) {
      if (isOptional && !Object.hasOwn(message, name)) return null;
      const value = message[name];
      return jsonOf(field.repeated && Array.isArray(value) ? value.map(plain) : plain(value), type, unit);
    },
  };
}

function isTimestamp(type: protobuf.Type | protobuf.Enum | null): boolean {
  return type?.fullName === '.google.protobuf.Timestamp';
}

function bytesOf(value: unknown): unknown {
  return Array.isArray(value) ? Uint8Array.from(value) : value;
}

const NANOS_PER_SECOND = 1_000_000_000n;

/** What a value of the type is besides its wrapping. */
function plainOf(type: protobuf.Type | protobuf.Enum | null): (value: unknown) => unknown {
  if (type instanceof protobuf.Enum) return (value) => type.valuesById[Number(value)] ?? value;
  if (isTimestamp(type))
    return (value) => {
      const { seconds, nanos } = value as { seconds: unknown; nanos: number };
      return BigInt(wide(seconds) as bigint | number) * NANOS_PER_SECOND + BigInt(nanos);
    };
  if (type?.fullName.startsWith('.google.protobuf.') === true && type.fullName.endsWith('Value'))
    return (value) => wide((value as { value: unknown }).value);
  return wide;
}

interface Halves {
  readonly high: number;
  readonly low: number;
  readonly unsigned: boolean;
}

/** The client has whole numbers of 64 bits in two halves. */
function wide(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || !('high' in value)) return value;
  const { high, low, unsigned } = value as Halves;
  const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  return unsigned ? bits : BigInt.asIntN(64, bits);
}

// The decoder of a Kafka source: by its format, with the schema from its file or from a registry.

import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import protobuf from 'protobufjs';
import { HeadraceError, messageOf } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { avroDecoder } from './avro.ts';
import { type Decode, Undecodable } from './decoder.ts';
import { jsonDecoder } from './json.ts';
import type { TimeUnit } from './json-values.ts';
import { messageTypes, protobufDecoder } from './protobuf.ts';
import { topMessages } from './registered-protobuf.ts';
import { framed, type RegisteredSchema, type SchemaRegistry } from './schema-registry.ts';

export interface DecoderPlace {
  /** Where relative paths start. */
  readonly directory: string;
  readonly registry?: SchemaRegistry;
}

/** Throws HR_STREAM_SCHEMA for a schema that can't be read. */
export async function openDecoder(source: SourceSpec, { directory, registry }: DecoderPlace): Promise<Decode> {
  const { format, schema, message } = source.location;
  // The compile step let no other through.
  const unit = source.location['timeUnit'] as TimeUnit | undefined;
  if (format === 'json') return jsonDecoder(source, unit);
  if (registry !== undefined)
    return registered(registry, format === 'avro' ? avroOf(source, unit) : protobufOf(source, unit));
  const path = schema === undefined || isAbsolute(schema) ? (schema ?? '') : join(directory, schema);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw unusable(source, `${path}: ${messageOf(error)}`);
  });
  try {
    if (format === 'avro') return avroDecoder(JSON.parse(text), source, unit);
    const root = await new protobuf.Root().load(path, { keepCase: true });
    return protobufDecoder(chosen(messageTypes(root), message), source, unit);
  } catch (error) {
    throw unusable(source, `${path}: ${messageOf(error)}`);
  }
}

/** Makes a decoder of a schema that a registry has, for what follows the schema's number. */
type OfSchema = (own: RegisteredSchema, registry: SchemaRegistry) => Promise<Decode>;

function registered(registry: SchemaRegistry, decoderOf: OfSchema): Decode {
  const known = new Map<number, Decode>();
  /** Asked for once, however many messages wait for it. */
  const loading = new Map<number, Promise<Decode>>();
  const load = async (id: number): Promise<Decode> => {
    const schema = await registry.byId(id);
    let decode: Decode;
    try {
      decode = await decoderOf(schema, registry);
    } catch (error) {
      // That the registry is away is no message's fault.
      if (error instanceof HeadraceError) throw error;
      throw new Undecodable(`schema ${id} cannot be used: ${messageOf(error)}`);
    }
    known.set(id, decode);
    return decode;
  };
  return (value) => {
    const { id, body } = framed(value);
    const decode = known.get(id);
    if (decode !== undefined) return decode(body);
    let asked = loading.get(id);
    if (asked === undefined) loading.set(id, (asked = load(id).finally(() => loading.delete(id))));
    return asked.then((loaded) => loaded(body));
  };
}

function avroOf(source: SourceSpec, unit: TimeUnit | undefined): OfSchema {
  return async (own, registry) => {
    // A schema that names others comes after them; of a union that is all of them the last is meant.
    const all = [
      ...(await referencedBy(own, registry)).map(({ schema }) => JSON.parse(schema)),
      JSON.parse(own.schema),
    ];
    const inlined = inline(all.at(-1), new Map(all.slice(0, -1).map((one) => [fullName(one), one])));
    return avroDecoder(inlined, source, unit);
  };
}

function protobufOf(source: SourceSpec, unit: TimeUnit | undefined): OfSchema {
  return async (own, registry) => {
    const references = (await referencedBy(own, registry)).map(({ schema }) => schema);
    // Messages are counted from the file's own first, each with those within it.
    const top = topMessages(own.schema, references);
    const decoders = new Map<string, Decode>();
    return (value) => {
      const { path, body } = messagePath(value);
      const name = path.join('.');
      let decode = decoders.get(name);
      if (decode === undefined) {
        const [first, ...within] = path;
        let type = top[first as number];
        for (const index of within) type = type?.nestedArray.filter((one) => one instanceof protobuf.Type)[index];
        if (type === undefined) throw new Undecodable(`its schema has no message ${name}`);
        decoders.set(name, (decode = protobufDecoder(type, source, unit)));
      }
      return decode(body);
    };
  };
}

async function referencedBy(own: RegisteredSchema, registry: SchemaRegistry): Promise<RegisteredSchema[]> {
  const found: RegisteredSchema[] = [];
  for (const reference of own.references) {
    const other = await registry.referenced(reference);
    found.push(...(await referencedBy(other, registry)), other);
  }
  return found;
}

/** Which message of the schema follows: a count, then an index a level, as zigzag varints; a single 0 is the first. */
function messagePath(value: Uint8Array): { readonly path: readonly number[]; readonly body: Uint8Array } {
  const reader = protobuf.Reader.create(value);
  try {
    const count = reader.sint32();
    if (count < 0 || count > 32) throw new RangeError('too deep');
    const path = count === 0 ? [0] : Array.from({ length: count }, () => reader.sint32());
    return { path, body: value.subarray(reader.pos) };
  } catch {
    throw new Undecodable('it does not say which message of its schema it is');
  }
}

function chosen(types: readonly protobuf.Type[], name: string | undefined): protobuf.Type {
  const isIt = (type: protobuf.Type): boolean => type.fullName === `.${name}` || type.name === name;
  const fit = types.filter((type) => name === undefined || isIt(type));
  const [only] = fit;
  if (only !== undefined && fit.length === 1) return only;
  const there = types.map(({ fullName: full }) => full.slice(1));
  throw new Error(
    name === undefined
      ? `it has ${there.length} messages (${there.join(', ')}): say which by \`message\``
      : `it has no one message "${name}"; it has ${there.join(', ')}`,
  );
}

type Json = Readonly<Record<string, unknown>>;

function fullName(schema: unknown): string {
  const { name = '', namespace } = schema as { name?: string; namespace?: string };
  return namespace === undefined || name.includes('.') ? name : `${namespace}.${name}`;
}

/** Puts referenced types where their names are met first; after that the name is enough. */
function inline(schema: unknown, others: Map<string, unknown>): unknown {
  if (typeof schema === 'string' && others.has(schema)) {
    const other = others.get(schema);
    others.delete(schema);
    return inline(other, others);
  }
  if (Array.isArray(schema)) return schema.map((one) => inline(one, others));
  if (schema === null || typeof schema !== 'object') return schema;
  const made: Record<string, unknown> = { ...(schema as Json) };
  for (const member of ['type', 'items', 'values', 'fields']) {
    if (made[member] !== undefined) made[member] = inline(made[member], others);
  }
  return made;
}

function unusable({ name }: SourceSpec, what: string): HeadraceError {
  return new HeadraceError('HR_STREAM_SCHEMA', `source "${name}": its schema cannot be used: ${what}`);
}

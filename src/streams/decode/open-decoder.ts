// The decoder of a Kafka source: by its format, with the schema from its file or from a registry.

import { readFile } from 'node:fs/promises';
import { isAbsolute, join, posix } from 'node:path';
import protobuf from 'protobufjs';
import { HeadraceError, messageOf } from '../../core/index.ts';
import { schemaPath, type SourceSpec } from '../../definitions/index.ts';
import { avroDecoder } from './avro.ts';
import { type Decode, Undecodable } from './decoder.ts';
import { jsonDecoder } from './json.ts';
import type { TimeUnit } from './json-values.ts';
import { messageTypes, protobufDecoder } from './protobuf.ts';
import { createProtobufRoot } from './protobuf-root.ts';
import { topMessages } from './registered-protobuf.ts';
import { framed, type RegisteredSchema, type SchemaRegistry } from './schema-registry.ts';

export interface DecoderPlace {
  /** Where relative paths start. */
  readonly directory: string;
  readonly registry?: SchemaRegistry;
  /** Files as they were applied, by path; what is not among them is read from disk. */
  readonly applied?: ReadonlyMap<string, string>;
}

/** Throws HR_STREAM_SCHEMA for a schema that can't be read. */
export async function openDecoder(source: SourceSpec, place: DecoderPlace): Promise<Decode> {
  const { registry } = place;
  const { format, schema = '', message } = source.location;
  // The compile step let no other through.
  const unit = source.location['timeUnit'] as TimeUnit | undefined;
  if (format === 'json') return jsonDecoder(source, unit);
  if (registry !== undefined)
    return registered(registry, format === 'avro' ? avroOf(source, unit) : protobufOf(source, unit));
  const path = schemaPath(schema);
  try {
    if (format === 'avro') return avroDecoder(JSON.parse(await readSchema(path, place)), source, unit);
    return protobufDecoder(chosen(messageTypes(await loadRoot(path, place)), message), source, unit);
  } catch (error) {
    throw unusable(source, `${path}: ${messageOf(error)}`);
  }
}

function readSchema(path: string, { applied, directory }: DecoderPlace): Promise<string> {
  const text = applied?.get(path);
  if (text !== undefined) return Promise.resolve(text);
  return readFile(isAbsolute(path) ? path : join(directory, path), 'utf8');
}

/** A Protobuf file and what it imports, each from where it lies. */
async function loadRoot(path: string, place: DecoderPlace): Promise<protobuf.Root> {
  const { root, add } = createProtobufRoot();
  const files = new Set<string>();
  const load = async (file: string): Promise<void> => {
    if (files.has(file)) return;
    files.add(file);
    for (const name of add(await readSchema(file, place))) await load(posix.join(posix.dirname(file), name));
  };
  await load(path);
  root.resolveAll();
  return root;
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
    const others = (await referencedBy(own, registry)).map(({ schema }) => JSON.parse(schema) as unknown);
    return avroDecoder(JSON.parse(own.schema), source, unit, others);
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

/** Each once, those that another needs before it. */
async function referencedBy(
  own: RegisteredSchema,
  registry: SchemaRegistry,
  seen = new Set<string>(),
): Promise<RegisteredSchema[]> {
  const found: RegisteredSchema[] = [];
  for (const reference of own.references) {
    const id = JSON.stringify([reference.subject, reference.version]);
    if (seen.has(id)) continue;
    seen.add(id);
    const other = await registry.referenced(reference);
    found.push(...(await referencedBy(other, registry, seen)), other);
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

function unusable({ name }: SourceSpec, what: string): HeadraceError {
  return new HeadraceError('HR_STREAM_SCHEMA', `source "${name}": its schema cannot be used: ${what}`);
}

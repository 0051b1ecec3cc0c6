// The descriptors of our .proto files (proto/descriptors.binpb, a google.protobuf.FileDescriptorSet that scripts/proto.ts writes):
// which file has which name, and what it builds on.

import { readFileSync } from 'node:fs';
import { DELIMITED, WireReader } from '../wire/wire-reader.ts';

export interface DescriptorFile {
  readonly name: string;
  /** google.protobuf.FileDescriptorProto. */
  readonly bytes: Buffer;
  readonly dependencies: readonly string[];
  /** Full names of its services. */
  readonly services: readonly string[];
  /** Full names of all that it declares: messages and enums with those within, services and their methods. */
  readonly symbols: readonly string[];
}

const FILE = 1;
const FIELD = { name: 1, package: 2, dependency: 3, message: 4, enum: 5, service: 6 } as const;
const NAME = 1;
const MESSAGE = { nested: 3, enum: 4 } as const;
const METHOD = 2;

export function readDescriptorFiles(): DescriptorFile[] {
  const reader = new WireReader(readFileSync(new URL('../../../../proto/descriptors.binpb', import.meta.url)));
  const files: DescriptorFile[] = [];
  while (reader.next()) {
    if (reader.is(FILE, DELIMITED)) files.push(readFile(reader.view()));
    else reader.skip();
  }
  return files;
}

function readFile(bytes: Buffer): DescriptorFile {
  const reader = new WireReader(bytes);
  const texts = { name: '', package: '' };
  const dependencies: string[] = [];
  const services: string[] = [];
  const symbols: string[] = [];
  const declared: { readonly kind: number; readonly bytes: Buffer }[] = [];
  while (reader.next()) {
    if (reader.wire !== DELIMITED) reader.skip();
    else if (reader.field === FIELD.name) texts.name = reader.text();
    else if (reader.field === FIELD.package) texts.package = reader.text();
    else if (reader.field === FIELD.dependency) dependencies.push(reader.text());
    else declared.push({ kind: reader.field, bytes: reader.view() });
  }
  for (const { kind, bytes } of declared) {
    if (kind === FIELD.message) symbols.push(...messageSymbols(bytes, texts.package));
    else if (kind === FIELD.enum) symbols.push(`${texts.package}.${nameOf(bytes)}`);
    else if (kind === FIELD.service) {
      const service = `${texts.package}.${nameOf(bytes)}`;
      services.push(service);
      symbols.push(service, ...partsOf(bytes, METHOD).map((method) => `${service}.${nameOf(method)}`));
    }
  }
  return { name: texts.name, bytes, dependencies, services, symbols };
}

function messageSymbols(bytes: Buffer, within: string): string[] {
  const name = `${within}.${nameOf(bytes)}`;
  return [
    name,
    ...partsOf(bytes, MESSAGE.nested).flatMap((nested) => messageSymbols(nested, name)),
    ...partsOf(bytes, MESSAGE.enum).map((one) => `${name}.${nameOf(one)}`),
  ];
}

const nameOf = (bytes: Buffer): string => partsOf(bytes, NAME)[0]?.toString() ?? '';

function partsOf(bytes: Buffer, field: number): Buffer[] {
  const reader = new WireReader(bytes);
  const parts: Buffer[] = [];
  while (reader.next()) {
    if (reader.is(field, DELIMITED)) parts.push(reader.view());
    else reader.skip();
  }
  return parts;
}

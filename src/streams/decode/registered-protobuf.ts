// Protobuf schemas as registries give them: the text of a .proto file, or its descriptor in base64, as it was registered by a
// client that has no text. Which messages a file has, in its order, is what a framed message counts by.

import protobuf from 'protobufjs';
import descriptors from 'protobufjs/ext/descriptor.js';
import { Undecodable } from './decoder.ts';
import { messageTypes } from './protobuf.ts';
import { createProtobufRoot } from './protobuf-root.ts';

/** The file's own messages that lie in no other, in its order. `references` come before who names them. */
export function topMessages(schema: string, references: readonly string[]): readonly protobuf.Type[] {
  const all = [...references, schema];
  if (all.every(isDescriptor)) return ofDescriptors(all.map((text) => Buffer.from(text, 'base64')));
  if (all.some(isDescriptor))
    throw new Undecodable('it is a descriptor, and what it refers to is text, or the reverse');
  return ofTexts(schema, references);
}

/** Text has a space after its first word. */
const isDescriptor = (schema: string): boolean => /^[A-Za-z0-9+/\n]+=*\s*$/.test(schema);

function ofTexts(schema: string, references: readonly string[]): readonly protobuf.Type[] {
  const { root, add } = createProtobufRoot();
  for (const reference of references) add(reference);
  const before = new Set(messageTypes(root));
  add(schema);
  root.resolveAll();
  return messageTypes(root).filter((type) => !before.has(type) && !(type.parent instanceof protobuf.Type));
}

/** What of a file's descriptor is asked here. */
interface FileDescriptor {
  readonly package?: string;
  readonly dependency?: readonly string[];
  readonly messageType?: readonly { readonly name: string }[];
}

// A set of files is the files' bytes one after another, so that sets are put together without taking them apart.
function ofDescriptors(files: readonly Uint8Array[]): readonly protobuf.Type[] {
  // The library decodes what its own descriptor of descriptors says.
  const decoded = files.map((file) => descriptors.FileDescriptorProto.decode(file) as unknown as FileDescriptor);
  const common = new protobuf.Root();
  for (const name of new Set(decoded.flatMap(({ dependency = [] }) => dependency)))
    common.addJSON(protobuf.common.get(name)?.nested ?? {});
  const set = protobuf.Writer.create();
  for (const file of files) set.uint32(FILE_FIELD).bytes(file);
  const commonSet = descriptors.FileDescriptorSet.encode(common.toDescriptor('proto3')).finish();
  const root = protobuf.Root.fromDescriptor(Buffer.concat([commonSet, set.finish()]), { keepCase: true });
  const { package: within = '', messageType = [] } = decoded.at(-1) ?? {};
  return messageType.map(({ name }) => root.lookupType(`${within === '' ? '' : `.${within}`}.${name}`));
}

/** Field 1, of bytes. */
const FILE_FIELD = 10;

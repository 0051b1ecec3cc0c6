// The schema of a stream that comes from anywhere: what it describes is looked at within bounds, since a few bytes can
// describe a tree without an end. Reads past its bytes are zeros.

import { Endianness } from 'apache-arrow/fb/endianness';
import { Field as FbField } from 'apache-arrow/fb/field';
import { Schema as FbSchema } from 'apache-arrow/fb/schema';
import type { Message } from 'apache-arrow/fb/message';
import { Encoding } from 'flatbuffers';
import { type ArrowType, readType } from './arrow-type.ts';
import { malformed } from './malformed.ts';

export interface ArrowField {
  readonly name: string;
  readonly type: ArrowType;
  readonly children: readonly ArrowField[];
  /** Of a dictionary-encoded column: `type` is that of its dictionary's values. */
  readonly dictionary: DictionaryRef | undefined;
}

export interface DictionaryRef {
  readonly id: bigint;
  readonly index: Extract<ArrowType, { readonly kind: 'int' }>;
}

/** Of a whole schema, and of what is nested in one column: far more than any service takes. */
const MOST_FIELDS = 4096;
const DEEPEST = 16;
const LONGEST_NAME = 1000;

/** Throws HR_MALFORMED_ARROW. */
export function readSchema(message: Message): readonly ArrowField[] {
  const schema = message.header(new FbSchema()) as FbSchema | null;
  if (schema === null) throw malformed('its schema is not there');
  if (schema.endianness() !== Endianness.Little) throw malformed('its numbers are big-endian');
  let left = MOST_FIELDS;
  const readAll = (count: number, fieldAt: (at: number) => FbField | null, depth: number): readonly ArrowField[] => {
    if (count < 0 || count > left) throw malformed(`it describes more than ${MOST_FIELDS} columns`);
    if (count > 0 && depth > DEEPEST) throw malformed(`a column is nested more than ${DEEPEST} levels deep`);
    left -= count;
    return Array.from({ length: count }, (_, at) => {
      const field = fieldAt(at);
      if (field === null) throw malformed('a column is not described');
      const children = readAll(field.childrenLength(), (child) => field.children(child, new FbField()), depth + 1);
      const type = readType(field);
      checkChildren(type, children.length);
      return { name: nameOf(field), type, children, dictionary: dictionaryOf(field) };
    });
  };
  return readAll(schema.fieldsLength(), (at) => schema.fields(at, new FbField()), 0);
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function nameOf(field: FbField): string {
  const bytes = field.name(Encoding.UTF8_BYTES) as Uint8Array | null;
  if (bytes === null) return '';
  if (bytes.length > LONGEST_NAME) throw malformed(`a column’s name is longer than ${LONGEST_NAME} bytes`);
  return utf8.decode(bytes);
}

function checkChildren({ kind }: ArrowType, count: number): void {
  const expected = kind === 'list' || kind === 'fixedList' ? 1 : kind === 'other' ? count : 0;
  if (count !== expected) throw malformed(`a column has ${count} columns within, and its type has ${expected}`);
}

function dictionaryOf(field: FbField): DictionaryRef | undefined {
  const encoding = field.dictionary();
  if (encoding === null) return undefined;
  const int = encoding.indexType();
  // Left out, it is a signed one of 32 bits.
  const bytes = int === null ? 4 : int.bitWidth() / 8;
  if (bytes !== 1 && bytes !== 2 && bytes !== 4 && bytes !== 8)
    throw malformed(`a dictionary has indexes of ${bytes * 8} bits`);
  return { id: encoding.id(), index: { kind: 'int', bytes, isSigned: int?.isSigned() ?? true } };
}

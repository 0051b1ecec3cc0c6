// Records as Redis keys and fields. A hash per entity key: `hr:{project:entity:base64url(key)}`; the braces keep it
// on one node. Its field `version` is the base, `version|writer.cut.boundary` a part.

import type { EncodedKey, Micros } from '../../core/index.ts';
import type { PartId, VersionId } from '../online-store.ts';
import { addToCrc, crc16, SLOTS } from './cluster/slots.ts';
import { type CommandBuffer, encodeWord } from './resp/command-buffer.ts';

/** A text as part of a key or a connection's name: no spaces, colons or braces. */
export function escapeName(text: string): string {
  return encodeURIComponent(text);
}

const DIGITS = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
const CLOSING_BRACE = 125;
const SEPARATOR = 124;
const DOT = 46;
const MINUS = 45;

export interface RecordKeys {
  slotOf(entity: string, key: EncodedKey): number;
  /** Writes the hash's key as a word. */
  writeKey(out: CommandBuffer, entity: string, key: EncodedKey): void;
  /** What SCAN matches an entity's hashes with. */
  pattern(entity: string): string;
  /** The entity key that `writeKey` wrote. */
  entityKeyOf(hash: Buffer, entity: string): EncodedKey;
}

interface Prefix {
  readonly bytes: Buffer;
  /** Of what the braces hold of it. */
  readonly crc: number;
}

export function createRecordKeys(project: string): RecordKeys {
  const prefixes = new Map<string, Prefix>();
  const prefixOf = (entity: string): Prefix => {
    let prefix = prefixes.get(entity);
    if (prefix === undefined) {
      const tag = Buffer.from(`${escapeName(project)}:${escapeName(entity)}:`);
      prefix = { bytes: Buffer.concat([Buffer.from('hr:{'), tag]), crc: crc16(tag) };
      prefixes.set(entity, prefix);
    }
    return prefix;
  };

  return {
    slotOf(entity, key) {
      const digits = Buffer.allocUnsafe(base64Length(key.length));
      writeBase64(key, digits, 0);
      let { crc } = prefixOf(entity);
      for (const digit of digits) crc = addToCrc(crc, digit);
      return crc % SLOTS;
    },
    writeKey(out, entity, key) {
      const { bytes: prefix } = prefixOf(entity);
      const size = base64Length(key.length);
      out.word(prefix.length + size + 1);
      out.raw(prefix);
      const { bytes, at } = out.claim(size + 1);
      writeBase64(key, bytes, at);
      bytes[at + size] = CLOSING_BRACE;
      out.end();
    },
    pattern: (entity) =>
      `${prefixOf(entity)
        .bytes.toString()
        .replace(/[\\*?[\]]/g, '\\$&')}*`,
    entityKeyOf(hash, entity) {
      const digits = hash.toString('latin1', prefixOf(entity).bytes.length, hash.length - 1);
      // Branding: writeKey wrote an encoded key there.
      return new Uint8Array(Buffer.from(digits, 'base64url')) as EncodedKey;
    },
  };
}

function base64Length(size: number): number {
  return Math.ceil((size * 4) / 3);
}

// Keys are short: this loop is several times as quick as a string made by the engine and written again.
function writeBase64(from: Uint8Array, into: Buffer, start: number): void {
  const size = from.length;
  let at = start;
  let i = 0;
  for (; i + 2 < size; i += 3) {
    const bits = ((from[i] as number) << 16) | ((from[i + 1] as number) << 8) | (from[i + 2] as number);
    into[at++] = DIGITS[bits >> 18] as number;
    into[at++] = DIGITS[(bits >> 12) & 63] as number;
    into[at++] = DIGITS[(bits >> 6) & 63] as number;
    into[at++] = DIGITS[bits & 63] as number;
  }
  if (i === size) return;
  const first = from[i] as number;
  const second = i + 1 < size ? (from[i + 1] as number) : 0;
  into[at++] = DIGITS[first >> 2] as number;
  into[at++] = DIGITS[((first & 3) << 4) | (second >> 4)] as number;
  if (i + 1 < size) into[at] = DIGITS[(second & 15) << 2] as number;
}

const baseFields = new Map<VersionId, { readonly name: Buffer; readonly word: Buffer }>();

/** A base's field: its name, and the name as a word of a command. */
export function baseField(version: VersionId): { readonly name: Buffer; readonly word: Buffer } {
  let field = baseFields.get(version);
  if (field === undefined) baseFields.set(version, (field = { name: Buffer.from(version), word: encodeWord(version) }));
  return field;
}

export function partField(version: VersionId, { writer, cut, boundary }: PartId): string {
  return `${version}|${writer}.${cut}.${boundary === -Infinity ? '-inf' : boundary}`;
}

/** Whether a field, which lies at `at`, is of the version that the base's field `name` stands for. */
export function isFieldOf(name: Buffer, bytes: Buffer, at: number, size: number): boolean {
  const { length } = name;
  if (size < length || (size > length && bytes[at + length] !== SEPARATOR)) return false;
  // From the end, where versions of one view differ.
  for (let i = length - 1; i >= 0; i--) if (bytes[at + i] !== name[i]) return false;
  return true;
}

/** Reads `writer.cut.boundary` from what follows the version in a part's field. */
export function readPartId(bytes: Buffer, from: number, to: number): PartId {
  let at = from;
  const readNumber = (): number => {
    let value = 0;
    for (; at < to && bytes[at] !== DOT; at++) value = value * 10 + (bytes[at] as number) - 48;
    at++;
    return value;
  };
  const writer = readNumber();
  const cut = readNumber();
  return { writer, cut, boundary: readBoundary(bytes, at, to) };
}

function readBoundary(bytes: Buffer, from: number, to: number): Micros {
  const isNegative = bytes[from] === MINUS;
  let value = 0;
  for (let at = isNegative ? from + 1 : from; at < to; at++) {
    const digit = (bytes[at] as number) - 48;
    // The only letters there are: `-inf`.
    if (digit > 9) return -Infinity;
    value = value * 10 + digit;
  }
  return isNegative ? -value : value;
}

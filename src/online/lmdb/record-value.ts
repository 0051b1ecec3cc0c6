// The bytes of a record's two places. Main: flags u8, expiry f64, then what the flags say: the entity key where it is a
// hash in LMDB's key (u32 length), the parts (u32 length), the base up to the end. Parts: expiry f64, then the part list.

import type { EncodedKey, Micros } from '../../core/index.ts';

export const HAS = { base: 1, parts: 2, partsApart: 4, longKey: 8 } as const;

/** Where the base starts when nothing else is there. */
export const HEAD = 9;
const EXPIRY_AT = 1;
const NONE = Buffer.alloc(0);

/** A main place, unpacked; `list` is empty when the parts are apart. Its buffers lie in the bytes that were given. */
export interface MainValue {
  readonly base: Buffer | undefined;
  readonly list: Buffer;
  readonly expiry: Micros;
  readonly isApart: boolean;
  readonly longKey: EncodedKey | undefined;
}

export function unpackMain(value: Buffer): MainValue {
  const flags = flagsOf(value);
  let at = HEAD;
  let longKey: EncodedKey | undefined;
  if ((flags & HAS.longKey) !== 0) {
    const length = value.readUInt32LE(at);
    // Branding: the key of a record as `packMain` was given it.
    longKey = new Uint8Array(value.subarray(at + 4, at + 4 + length)) as EncodedKey;
    at += 4 + length;
  }
  let list: Buffer = NONE;
  if ((flags & HAS.parts) !== 0) {
    const length = value.readUInt32LE(at);
    list = value.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
  const base = (flags & HAS.base) === 0 ? undefined : value.subarray(at);
  return { base, list, expiry: expiryOfMain(value), isApart: (flags & HAS.partsApart) !== 0, longKey };
}

export interface MainPacker {
  /** In memory that the next call uses again. */
  pack(
    base: Uint8Array | undefined,
    list: Uint8Array,
    isApart: boolean,
    longKey: EncodedKey | undefined,
    expiry: Micros,
  ): Buffer;
}

export function createMainPacker(): MainPacker {
  let scratch = Buffer.allocUnsafeSlow(64 * 1024);
  return {
    pack(base, list, isApart, longKey, expiry) {
      const size = HEAD + (longKey?.length ?? 0) + list.length + (base?.length ?? 0) + 8;
      if (size > scratch.length) scratch = Buffer.allocUnsafeSlow(size * 2);
      let at = HEAD;
      let flags = isApart ? HAS.partsApart : 0;
      if (longKey !== undefined) {
        flags |= HAS.longKey;
        scratch.writeUInt32LE(longKey.length, at);
        scratch.set(longKey, at + 4);
        at += 4 + longKey.length;
      }
      if (list.length > 0) {
        flags |= HAS.parts;
        scratch.writeUInt32LE(list.length, at);
        scratch.set(list, at + 4);
        at += 4 + list.length;
      }
      if (base !== undefined) {
        flags |= HAS.base;
        scratch.set(base, at);
        at += base.length;
      }
      scratch[0] = flags;
      scratch.writeDoubleLE(expiry, EXPIRY_AT);
      return scratch.subarray(0, at);
    },
  };
}

export function packApart(list: Uint8Array, expiry: Micros): Buffer {
  const value = Buffer.allocUnsafe(8 + list.length);
  value.writeDoubleLE(expiry, 0);
  value.set(list, 8);
  return value;
}

export function listOfApart(value: Buffer): Buffer {
  return value.subarray(8);
}

export function flagsOf(main: Buffer): number {
  return main[0] as number;
}

export function expiryOfMain(main: Buffer): Micros {
  return main.readDoubleLE(EXPIRY_AT);
}

export function expiryOfApart(value: Buffer): Micros {
  return value.readDoubleLE(0);
}

// How both stores lay a record out in one value, so that a read fetches one thing per record:
// version 8 · expiry 8 · flags 1 · length of base 4 · base · pushed. The pushed events lie in a value of their own.

import type { EncodedKey, Micros } from '../core/index.ts';
import { readFloat64, readUint32 } from './bytes.ts';
import type { FullRecord, RecordChange, StoredRecord } from './online-store.ts';

const FLAG = { base: 1, pushed: 2, log: 4, longKey: 8 } as const;
const HEADER = 21;

/** Bytes at the start that name the record's version: every change makes a new one. */
export const VERSION_BYTES = 8;

/** Packs a record. `longKey` is kept behind the parts where the store had to hash it. */
export function packValue(change: RecordChange, version: number, longKey?: EncodedKey): Buffer {
  const base = change.base?.length ?? 0;
  const pushed = change.pushed?.length ?? 0;
  const value = Buffer.allocUnsafe(HEADER + base + pushed + (longKey === undefined ? 0 : longKey.length + 4));
  value.writeDoubleLE(version, 0);
  value.writeDoubleLE(change.expiresAtMicros ?? Infinity, 8);
  value[16] =
    (change.base === undefined ? 0 : FLAG.base) |
    (change.pushed === undefined ? 0 : FLAG.pushed) |
    (change.pushedLog === undefined ? 0 : FLAG.log) |
    (longKey === undefined ? 0 : FLAG.longKey);
  value.writeUInt32LE(base, 17);
  if (change.base !== undefined) value.set(change.base, HEADER);
  if (change.pushed !== undefined) value.set(change.pushed, HEADER + base);
  if (longKey !== undefined) {
    value.set(longKey, HEADER + base + pushed);
    value.writeUInt32LE(longKey.length, value.length - 4);
  }
  return value;
}

/** The parts as views into `value`: the caller owns it, or decodes at once. */
export function unpackValue(value: Uint8Array): StoredRecord {
  const flags = value[16] as number;
  const pushedAt = HEADER + readUint32(value, 17);
  const end = (flags & FLAG.longKey) === 0 ? value.length : value.length - 4 - readUint32(value, value.length - 4);
  return {
    base: (flags & FLAG.base) === 0 ? undefined : value.subarray(HEADER, pushedAt),
    pushed: (flags & FLAG.pushed) === 0 ? undefined : value.subarray(pushedAt, end),
  };
}

export function unpackFull(value: Uint8Array, log: Uint8Array | undefined): FullRecord {
  const { base, pushed } = unpackValue(value);
  return { base, pushed, pushedLog: log };
}

/** The key that was too long to be the store's own; undefined when it was not. */
export function longKeyOf(value: Uint8Array): EncodedKey | undefined {
  if (((value[16] as number) & FLAG.longKey) === 0) return undefined;
  const length = readUint32(value, value.length - 4);
  // Branding: packValue put an encoded key there.
  return new Uint8Array(value.subarray(value.length - 4 - length, value.length - 4)) as unknown as EncodedKey;
}

export function hasLog(value: Uint8Array): boolean {
  return ((value[16] as number) & FLAG.log) !== 0;
}

export function versionOf(value: Uint8Array | undefined): number {
  return value === undefined ? 0 : readFloat64(value, 0);
}

export function expiryOf(value: Uint8Array): Micros {
  return readFloat64(value, 8);
}

/** Whether nothing is left of a record: then it is removed. */
export function isEmptyChange(change: RecordChange): boolean {
  return change.base === undefined && change.pushed === undefined && change.pushedLog === undefined;
}

// A record's parts as one run of bytes, in order of (writer, cut, boundary). Of each: writer u32, cut u32, boundary f64,
// holder u32, n f64, the fold's length u32, the fold.

import type { PartId, PartWrite, StoredPart } from '../online-store.ts';
import { isOfOtherLog } from '../part-number.ts';

const HEAD = 32;
const AT = { writer: 0, cut: 4, boundary: 8, holder: 16, n: 20, length: 28 } as const;

/** The folds lie in `list` itself. */
export function readParts(list: Buffer): readonly StoredPart[] {
  const parts: StoredPart[] = [];
  for (let at = 0; at < list.length; at = endOf(list, at)) {
    parts.push({
      writer: list.readUInt32LE(at + AT.writer),
      cut: list.readUInt32LE(at + AT.cut),
      boundary: list.readDoubleLE(at + AT.boundary),
      fold: list.subarray(at + HEAD, endOf(list, at)),
    });
  }
  return parts;
}

/** Undefined when the list has the part under a number that is not less, or of the same holder by another log. */
export function withPart(list: Buffer, part: PartWrite): Buffer | undefined {
  let at = 0;
  while (at < list.length && compareAt(list, at, part) < 0) at = endOf(list, at);
  let rest = at;
  if (at < list.length && compareAt(list, at, part) === 0) {
    const holder = list.readUInt32LE(at + AT.holder);
    const n = list.readDoubleLE(at + AT.n);
    if (holder > part.holder || (holder === part.holder && (n >= part.n || isOfOtherLog(n, part.n)))) return undefined;
    rest = endOf(list, at);
  }
  const size = HEAD + part.fold.length;
  const next = Buffer.allocUnsafe(at + size + list.length - rest);
  next.set(list.subarray(0, at), 0);
  next.writeUInt32LE(part.writer, at + AT.writer);
  next.writeUInt32LE(part.cut, at + AT.cut);
  next.writeDoubleLE(part.boundary, at + AT.boundary);
  next.writeUInt32LE(part.holder, at + AT.holder);
  next.writeDoubleLE(part.n, at + AT.n);
  next.writeUInt32LE(part.fold.length, at + AT.length);
  next.set(part.fold, at + HEAD);
  next.set(list.subarray(rest), at + size);
  return next;
}

/** Whether the list has the part as the same log wrote it, whatever its fold is by now. */
export function hasPart(list: Buffer, part: PartWrite): boolean {
  for (let at = 0; at < list.length; at = endOf(list, at)) {
    if (compareAt(list, at, part) === 0) return !isOfOtherLog(list.readDoubleLE(at + AT.n), part.n);
  }
  return false;
}

export function withoutParts(list: Buffer, ids: readonly PartId[]): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at < list.length; at = endOf(list, at)) {
    if (!ids.some((id) => compareAt(list, at, id) === 0)) kept.push(list.subarray(at, endOf(list, at)));
  }
  return Buffer.concat(kept);
}

function endOf(list: Buffer, at: number): number {
  return at + HEAD + list.readUInt32LE(at + AT.length);
}

function compareAt(list: Buffer, at: number, id: PartId): number {
  const writer = list.readUInt32LE(at + AT.writer);
  if (writer !== id.writer) return writer < id.writer ? -1 : 1;
  const cut = list.readUInt32LE(at + AT.cut);
  if (cut !== id.cut) return cut < id.cut ? -1 : 1;
  const boundary = list.readDoubleLE(at + AT.boundary);
  return boundary === id.boundary ? 0 : boundary < id.boundary ? -1 : 1;
}

// An entity key's records as the reply of HGETALL, however many views are asked and parts are there: decoded where the
// reply lies, without copies.

import type { StoredPart, StoredRecord } from '../online-store.ts';
import { PART_NUMBER_BYTES } from './part-value.ts';
import { isFieldOf, readPartId } from './record-keys.ts';
import { encodeHead } from './resp/command-buffer.ts';
import { ReplyCursor } from './resp/reply.ts';

interface OpenRecord {
  base: Uint8Array | undefined;
  parts: StoredPart[];
}

export const HGETALL = encodeHead(2, 'HGETALL');

/** Of every record without parts; never added to. */
const NO_PARTS: StoredPart[] = [];

/** Reads an HGETALL reply into `records`: at `i` the record of the version whose base's field is `names[i]`. */
export function readHash(
  bytes: Buffer,
  start: number,
  names: readonly Buffer[],
  records: (StoredRecord | undefined)[],
): void {
  const cursor = new ReplyCursor(bytes, start);
  const count = names.length;
  let hasParts = false;
  /** Fields most often come in the order that is asked: the next is looked for where the last was found. */
  let next = 0;
  for (let left = cursor.length(); left > 0; left -= 2) {
    const fieldSize = cursor.length();
    const fieldAt = cursor.at;
    cursor.at += fieldSize + 2;
    const size = cursor.length();
    const at = cursor.at;
    cursor.at += size + 2;
    for (let tried = 0; tried < count; tried++) {
      if (next === count) next = 0;
      const name = names[next] as Buffer;
      if (!isFieldOf(name, bytes, fieldAt, fieldSize)) {
        next++;
        continue;
      }
      // Records made here are open until the reply is read.
      const record = records[next] as OpenRecord | undefined;
      if (fieldSize === name.length) {
        const base = bytes.subarray(at, at + size);
        if (record === undefined) records[next] = { base, parts: NO_PARTS };
        else record.base = base;
        next++;
      } else {
        hasParts = true;
        const id = readPartId(bytes, fieldAt + name.length + 1, fieldAt + fieldSize);
        const part = { ...id, fold: bytes.subarray(at + PART_NUMBER_BYTES, at + size) };
        if (record === undefined) records[next] = { base: undefined, parts: [part] };
        else if (record.parts === NO_PARTS) record.parts = [part];
        else record.parts.push(part);
      }
      break;
    }
  }
  if (!hasParts) return;
  for (const one of records) {
    const record = one as OpenRecord | undefined;
    if (record !== undefined && record.parts.length > 1) record.parts.sort(byPlace);
  }
}

function byPlace(a: StoredPart, b: StoredPart): number {
  if (a.writer !== b.writer) return a.writer - b.writer;
  if (a.cut !== b.cut) return a.cut - b.cut;
  return a.boundary < b.boundary ? -1 : 1;
}

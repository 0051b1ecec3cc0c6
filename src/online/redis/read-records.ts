// An entity key's records as the reply of HGETALL, however many views are asked and parts are there: found where the reply
// lies, without copies.

import type { RecordTaker, StoredPart, StoredRecord } from '../online-store.ts';
import { PART_NUMBER_BYTES } from './part-value.ts';
import { isFieldOf, readPartId } from './record-keys.ts';
import { encodeHead } from './resp/command-buffer.ts';
import { ReplyCursor } from './resp/reply.ts';

export const HGETALL = encodeHead(2, 'HGETALL');

/** Of every record without parts; never added to. */
const NO_PARTS: readonly StoredPart[] = [];

/** Records of one hash by the names that were asked for. */
export interface FoundRecords {
  /** What their places are in. */
  readonly bytes: Buffer;
  /** By name, where the base lies: from, to; 0 is none, since a reply begins with its kind. */
  readonly spans: readonly number[];
  /** By name, in order; undefined where no record has any. */
  readonly parts: readonly (readonly StoredPart[] | undefined)[] | undefined;
}

/** Reads an HGETALL reply: at `i` is what there is of the version whose base's field is `names[i]`. */
export function readHash(bytes: Buffer, start: number, names: readonly Buffer[]): FoundRecords {
  const cursor = new ReplyCursor(bytes, start);
  const count = names.length;
  const spans = new Array<number>(2 * count).fill(0);
  let parts: (StoredPart[] | undefined)[] | undefined;
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
      if (fieldSize === name.length) {
        spans[2 * next] = at;
        spans[2 * next + 1] = at + size;
        next++;
      } else {
        const id = readPartId(bytes, fieldAt + name.length + 1, fieldAt + fieldSize);
        parts ??= new Array<StoredPart[] | undefined>(count).fill(undefined);
        (parts[next] ??= []).push({ ...id, fold: bytes.subarray(at + PART_NUMBER_BYTES, at + size) });
      }
      break;
    }
  }
  if (parts !== undefined) for (const own of parts) if (own !== undefined && own.length > 1) own.sort(byPlace);
  return { bytes, spans, parts };
}

/** What was found under a name. */
export function recordOf({ bytes, spans, parts }: FoundRecords, name: number): StoredRecord | undefined {
  const from = spans[2 * name] as number;
  const own = parts?.[name];
  if (from === 0) return own === undefined ? undefined : { base: undefined, parts: own };
  return { base: bytes.subarray(from, spans[2 * name + 1]), parts: own ?? NO_PARTS };
}

/** Tells what was found under a name, where anything was. */
export function tellRecord(found: FoundRecords, name: number, row: number, place: number, taker: RecordTaker): void {
  const from = found.spans[2 * name] as number;
  if (from > 0 && found.parts?.[name] === undefined) {
    taker.base(row, place, found.bytes, from, found.spans[2 * name + 1] as number);
    return;
  }
  const record = recordOf(found, name);
  if (record !== undefined) taker.record(row, place, record);
}

function byPlace(a: StoredPart, b: StoredPart): number {
  if (a.writer !== b.writer) return a.writer - b.writer;
  if (a.cut !== b.cut) return a.cut - b.cut;
  return a.boundary < b.boundary ? -1 : 1;
}

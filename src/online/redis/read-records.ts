// Reading records: one HGETALL an entity key, however many views are asked and parts are there; decoded where the
// reply lies, without copies.

import type { EncodedKey } from '../../core/index.ts';
import type { RecordRef, StoredPart, StoredRecord } from '../online-store.ts';
import { execute } from './cluster/execute.ts';
import type { NodeLinks } from './cluster/node-links.ts';
import { PART_NUMBER_BYTES } from './part-value.ts';
import { baseField, isFieldOf, readPartId, type RecordKeys } from './record-keys.ts';
import { encodeHead } from './resp/command-buffer.ts';
import { ReplyCursor } from './resp/reply.ts';

/** What is asked of one hash: each version once, and where its record goes. */
interface Asked {
  readonly entity: string;
  readonly key: EncodedKey;
  readonly names: Buffer[];
  readonly places: number[];
}

interface OpenRecord {
  base: Uint8Array | undefined;
  parts: StoredPart[];
}

export const HGETALL = encodeHead(2, 'HGETALL');

/** Of every record without parts; never added to. */
const NO_PARTS: StoredPart[] = [];

export async function readRecords(
  links: NodeLinks,
  keys: RecordKeys,
  refs: readonly RecordRef[],
): Promise<(StoredRecord | undefined)[]> {
  const records = new Array<StoredRecord | undefined>(refs.length).fill(undefined);
  const { hashes, repeats } = groupByHash(refs);
  await execute(links, {
    count: hashes.length,
    slot(index) {
      const { entity, key } = hashes[index] as Asked;
      return keys.slotOf(entity, key);
    },
    encode(out, index) {
      const { entity, key } = hashes[index] as Asked;
      out.raw(HGETALL);
      keys.writeKey(out, entity, key);
    },
    onReply(index, bytes, start) {
      const { names, places } = hashes[index] as Asked;
      readHash(bytes, start, names, places, records);
    },
  });
  for (const [place, first] of repeats) records[place] = records[first];
  return records;
}

/** A key's views come with the key as one object; two objects of the same bytes cost a command more and no harm. */
function groupByHash(refs: readonly RecordRef[]): {
  readonly hashes: readonly Asked[];
  /** Refs that were there before: place, and place of the first. */
  readonly repeats: readonly (readonly [number, number])[];
} {
  const hashes: Asked[] = [];
  const repeats: [number, number][] = [];
  const byEntity = new Map<string, Map<EncodedKey, Asked>>();
  let last: Asked | undefined;
  refs.forEach(({ entity, key, version }, place) => {
    if (last === undefined || last.key !== key || last.entity !== entity) {
      let byKey = byEntity.get(entity);
      if (byKey === undefined) byEntity.set(entity, (byKey = new Map()));
      last = byKey.get(key);
      if (last === undefined) {
        last = { entity, key, names: [], places: [] };
        byKey.set(key, last);
        hashes.push(last);
      }
    }
    const { name } = baseField(version);
    const before = last.names.indexOf(name);
    if (before >= 0) {
      repeats.push([place, last.places[before] as number]);
    } else {
      last.names.push(name);
      last.places.push(place);
    }
  });
  return { hashes, repeats };
}

/** Reads an HGETALL reply into `records`: at `places[i]` the record of the version whose base's field is `names[i]`. */
export function readHash(
  bytes: Buffer,
  start: number,
  names: readonly Buffer[],
  places: readonly number[],
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
      const place = places[next] as number;
      // Records made here are open until the reply is read.
      const record = records[place] as OpenRecord | undefined;
      if (fieldSize === name.length) {
        const base = bytes.subarray(at, at + size);
        if (record === undefined) records[place] = { base, parts: NO_PARTS };
        else record.base = base;
        next++;
      } else {
        hasParts = true;
        const id = readPartId(bytes, fieldAt + name.length + 1, fieldAt + fieldSize);
        const part = { ...id, fold: bytes.subarray(at + PART_NUMBER_BYTES, at + size) };
        if (record === undefined) records[place] = { base: undefined, parts: [part] };
        else if (record.parts === NO_PARTS) record.parts = [part];
        else record.parts.push(part);
      }
      break;
    }
  }
  if (!hasParts) return;
  for (const place of places) {
    const record = records[place] as OpenRecord | undefined;
    if (record !== undefined && record.parts.length > 1) record.parts.sort(byPlace);
  }
}

function byPlace(a: StoredPart, b: StoredPart): number {
  if (a.writer !== b.writer) return a.writer - b.writer;
  if (a.cut !== b.cut) return a.cut - b.cut;
  return a.boundary < b.boundary ? -1 : 1;
}

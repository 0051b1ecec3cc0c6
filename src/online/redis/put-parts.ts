// Writing parts: one script call a hash, with all its parts; a megabyte of them in one go.

import type { EncodedKey } from '../../core/index.ts';
import type { LifetimeOf, PartWrite } from '../online-store.ts';
import { execute } from './cluster/execute.ts';
import type { NodeLinks } from './cluster/node-links.ts';
import { PART_NUMBER_BYTES, writePartValue } from './part-value.ts';
import { partField, type RecordKeys } from './record-keys.ts';
import { readReply } from './resp/reply.ts';
import { PUT_PARTS, WITHDRAW_PARTS } from './scripts.ts';

interface Hash {
  readonly entity: string;
  readonly key: EncodedKey;
  readonly parts: PartWrite[];
  bytes: number;
  /** The longest of its parts'. */
  waitsMs: number;
}

/** `*0`: the script's reply where it wrote every part. */
const ZERO = 48;
const BATCH_BYTES = 1024 * 1024;
const MOST_HASHES = 1000;
/** More parts of one hash go in a second call: a script holds up everyone else at its node. */
const MOST_PARTS = 200;

/** Gives how long the records of an entity live as the script takes it. */
function lifetimeWord(lifetimeMs: number | undefined, waitsMs: number): string {
  return lifetimeMs === undefined ? '' : String(Math.max(1, Math.ceil(lifetimeMs + waitsMs)));
}

/** Gives the parts that were not written, because one with a greater number is there; undefined where all were. */
export async function putParts(
  links: NodeLinks,
  keys: RecordKeys,
  lifetimeMs: LifetimeOf,
  parts: readonly PartWrite[],
): Promise<readonly PartWrite[] | undefined> {
  const refused: PartWrite[] = [];
  const hashes = groupByHash(parts);
  for (let from = 0; from < hashes.length; ) {
    let to = from;
    for (let bytes = 0; to < hashes.length && to - from < MOST_HASHES && bytes < BATCH_BYTES; to++) {
      bytes += (hashes[to] as Hash).bytes;
    }
    await putHashes(links, keys, lifetimeMs, hashes.slice(from, to), refused);
    from = to;
  }
  return refused.length === 0 ? undefined : refused;
}

async function putHashes(
  links: NodeLinks,
  keys: RecordKeys,
  lifetimeMs: LifetimeOf,
  hashes: readonly Hash[],
  refused: PartWrite[],
): Promise<void> {
  await execute(links, {
    count: hashes.length,
    slot(index) {
      const { entity, key } = hashes[index] as Hash;
      return keys.slotOf(entity, key);
    },
    encode(out, index, withScript) {
      const { entity, key, parts, waitsMs } = hashes[index] as Hash;
      out.command(5 + parts.length * 2);
      out.raw(withScript ? PUT_PARTS.byText : PUT_PARTS.byHash);
      out.text(1);
      keys.writeKey(out, entity, key);
      out.text(lifetimeWord(lifetimeMs(entity), waitsMs));
      for (const part of parts) {
        out.text(partField(part.version, part));
        writePartValue(out, part);
      }
    },
    onReply(index, bytes, start) {
      if (bytes[start + 1] === ZERO) return;
      // The script gives the places of parts that it did not write.
      for (const place of readReply(bytes, start) as readonly number[]) {
        refused.push((hashes[index] as Hash).parts[place] as PartWrite);
      }
    },
  });
}

/** Removes the parts that the same log wrote. */
export async function withdrawParts(links: NodeLinks, keys: RecordKeys, parts: readonly PartWrite[]): Promise<void> {
  const hashes = groupByHash(parts);
  await execute(links, {
    count: hashes.length,
    slot(index) {
      const { entity, key } = hashes[index] as Hash;
      return keys.slotOf(entity, key);
    },
    encode(out, index, withScript) {
      const { entity, key, parts: own } = hashes[index] as Hash;
      out.command(4 + own.length * 2);
      out.raw(withScript ? WITHDRAW_PARTS.byText : WITHDRAW_PARTS.byHash);
      out.text(1);
      keys.writeKey(out, entity, key);
      for (const part of own) {
        out.text(partField(part.version, part));
        writePartValue(out, part);
      }
    },
    onReply() {},
  });
}

function groupByHash(parts: readonly PartWrite[]): Hash[] {
  const hashes: Hash[] = [];
  const byEntity = new Map<string, Map<EncodedKey, Hash>>();
  for (const part of parts) {
    const { entity, key, fold } = part;
    let byKey = byEntity.get(entity);
    if (byKey === undefined) byEntity.set(entity, (byKey = new Map()));
    let hash = byKey.get(key);
    if (hash === undefined || hash.parts.length >= MOST_PARTS) {
      hash = { entity, key, parts: [], bytes: 0, waitsMs: 0 };
      byKey.set(key, hash);
      hashes.push(hash);
    }
    hash.parts.push(part);
    if (part.waitsMs !== undefined && part.waitsMs > hash.waitsMs) hash.waitsMs = part.waitsMs;
    hash.bytes += fold.length + PART_NUMBER_BYTES + 100;
  }
  return hashes;
}

// The parts that a base counts, to be deleted after it: found by reading the records of keys that may have some.

import type { EncodedKey } from '../../core/index.ts';
import {
  type BaseWrite,
  type Coverage,
  isCovered,
  type OnlineStore,
  type PartId,
  type ViewCodec,
} from '../../online/index.ts';
import type { PackedBase } from './packed-base.ts';

/** `mayHaveParts`: besides the keys that are marked as pushed. */
export async function withCountedParts(
  store: OnlineStore,
  { recordsOf, version }: Pick<ViewCodec, 'recordsOf' | 'version'>,
  coverage: Coverage,
  bases: readonly PackedBase[],
  mayHaveParts: (key: EncodedKey) => boolean,
): Promise<BaseWrite[]> {
  const writes: BaseWrite[] = bases.map(({ key, base, waitsMs }) => ({
    entity: recordsOf,
    key,
    base,
    ...(waitsMs === undefined ? {} : { waitsMs }),
  }));
  const asked = bases.flatMap(({ key, isPushed }, i) => (isPushed || mayHaveParts(key) ? [i] : []));
  if (asked.length === 0) return writes;
  const refs = asked.map((i) => ({ entity: recordsOf, key: (bases[i] as PackedBase).key, version }));
  const records = await store.read(refs);
  asked.forEach((at, i) => {
    const counted = countedParts(records[i]?.parts ?? [], coverage);
    if (counted.length > 0) writes[at] = { ...(writes[at] as BaseWrite), counted };
  });
  return writes;
}

export function countedParts(parts: readonly PartId[], coverage: Coverage): PartId[] {
  return parts.flatMap(({ writer, cut, boundary }) =>
    isCovered(coverage, writer, cut) ? [{ writer, cut, boundary }] : [],
  );
}

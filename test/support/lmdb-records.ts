// Records for the tests of the embedded store: short ways to a key, a part, a run.

import { type EncodedKey, encodeKey } from '../../src/core/index.ts';
import type { BaseWrite, OnlineStore, PartWrite, RecordRef, StoredRecord } from '../../src/online/online-store.ts';

export const forEver = () => undefined;
export const keyOf = (name: string): EncodedKey => encodeKey([{ kind: 'string' }], [name]) as EncodedKey;
export const refOf = (name: string, version = 'v@1'): RecordRef => ({ entity: 'thing', version, key: keyOf(name) });

export function partOf(name: string, fold: Uint8Array, rest: Partial<PartWrite> = {}): PartWrite {
  return { ...refOf(name), writer: 1, cut: 1, boundary: -Infinity, holder: 1, n: 1, fold, ...rest };
}

/** One whole run, with its mark. */
export async function runOnce(
  store: OnlineStore,
  number: number,
  writes: readonly Omit<BaseWrite, 'entity'>[],
  version = 'v@1',
): Promise<void> {
  const run = await store.run({ version, run: number, entity: 'thing', lifetimeMs: forEver, isOpen: async () => true });
  try {
    await run.begin('lmdb');
    await run.write(
      'lmdb',
      writes.map((write) => ({ entity: 'thing', ...write })),
    );
    await run.mark('lmdb');
  } finally {
    await run.close();
  }
}

/** A record as plain text. */
export function shown(record: StoredRecord | undefined): string {
  if (record === undefined) return 'none';
  const base = record.base === undefined ? '-' : Buffer.from(record.base).toString('latin1');
  const parts = record.parts.map(
    ({ writer, cut, boundary, fold }) => `${writer}.${cut}.${boundary}=${Buffer.from(fold).toString('latin1')}`,
  );
  return [base, ...parts].join(' ');
}

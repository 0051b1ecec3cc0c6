// Short forms of what tests write to an online store: parts by a writer, bases by a whole run.

import { type EncodedKey, encodeKey } from '../../src/core/index.ts';
import type { BaseWrite, OnlineStore, PartWrite, RecordRef, StoreRun } from '../../src/online/online-store.ts';

export const forEver = (): undefined => undefined;

export function refOf(name: string, version = 'v@1', entity = 'thing'): RecordRef {
  return { entity, version, key: encodeKey([{ kind: 'string' }], [name]) as EncodedKey };
}

/** A part of `ref` with everything else that a test does not name. */
export function partOf(ref: RecordRef, fold: string, rest: Partial<PartWrite> = {}): PartWrite {
  const written = { writer: 1, cut: 1, boundary: -Infinity, holder: 1, n: 1, fold: Buffer.from(fold) };
  return { ...ref, ...written, ...rest };
}

export function baseOf({ entity, key }: RecordRef, base: string | Uint8Array): BaseWrite {
  return { entity, key, base: typeof base === 'string' ? Buffer.from(base) : base };
}

/** A run that is open as long as nobody says otherwise. */
export function openRun(
  store: OnlineStore,
  run: number,
  version = 'v@1',
  isOpen = true,
  entity = 'thing',
): Promise<StoreRun> {
  return store.run({ version, entity, run, lifetimeMs: forEver, isOpen: async () => isOpen });
}

/** Begins every node, writes each its bases and marks it. */
export async function writeAll(run: StoreRun, writes: readonly BaseWrite[]): Promise<void> {
  for (const node of run.nodes) {
    await run.begin(node);
    await run.write(
      node,
      writes.filter(({ entity, key }) => run.nodeOf(entity, key) === node),
    );
    await run.mark(node);
  }
}

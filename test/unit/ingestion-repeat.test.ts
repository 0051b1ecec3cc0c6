// A repeat of a push whose answer the store has lost, once the log of who took it has ended: it was accepted, unless its entry
// is void.

import { describe, expect, it } from 'vitest';
import type { CutContents, LogEntry, WriterRow } from '../../src/events/index.ts';
import { LOGGED } from '../../src/ingestion/push-result.ts';
import { repeatOf } from '../../src/ingestion/repeat.ts';
import type { ClaimPlace } from '../../src/online/index.ts';

const WRITER = 2;
/** Rows of each cut, from offset 0 on: the second holds offsets 3 and 4. */
const CUTS = [3, 2, 4];

/** A log that has ended; reading it gives the entries at these offsets, of one row each. */
function endedLog(counting: readonly number[], more: { readonly removed?: number; readonly rows?: null } = {}) {
  const row = { number: WRITER, state: 'ended', removed: more.removed ?? 0 };
  const read: number[] = [];
  const log = {
    // What is looked at of them.
    writers: async () => [row as WriterRow],
    contents: async (): Promise<readonly CutContents[]> =>
      CUTS.map((count, at) => ({
        writer: WRITER,
        cut: at + 1,
        rows: more.rows === null ? null : new Map([['s', count]]),
        shippedMicros: 0,
      })),
    async *read(_: number, from: number) {
      read.push(from);
      for (const offset of counting) yield { offset } as LogEntry;
    },
  };
  return { log, read };
}

async function repeat(log: ReturnType<typeof endedLog>['log'], offset: number) {
  const released: ClaimPlace[] = [];
  const holding = { id: 'i', writer: WRITER, offset, payloadHash: 'h' };
  const entry = { key: { key: 'K', hash: 'h' }, count: 1 };
  const result = await repeatOf(
    log,
    { holding, durable: LOGGED },
    entry,
    async (claims) => void released.push(...claims),
  )
    .then(({ duplicate }) => (duplicate ? 'accepted before' : 'accepted'))
    .catch(({ code }: { readonly code: string }) => code);
  return { result, released: released.map((place) => place.offset) };
}

describe('a repeat of a push whose answer is lost', () => {
  it('was accepted where its entry counts; only its cut is read', async () => {
    const { log, read } = endedLog([4]);
    expect(await repeat(log, 4)).toEqual({ result: 'accepted before', released: [] });
    expect(read).toEqual([2]);
  });

  it('gives the key up where its entry is void, so that the push can be sent again', async () => {
    expect(await repeat(endedLog([3]).log, 4)).toEqual({ result: 'HR_ONLINE_UNAVAILABLE', released: [4] });
  });

  it.each([
    ['cuts of its log were removed', { removed: 1 }],
    ['nobody kept how many rows its cuts hold', { rows: null }],
  ])('was accepted where nobody can tell: %s', async (_, more) => {
    expect(await repeat(endedLog([], more).log, 4)).toEqual({ result: 'accepted before', released: [] });
  });
});

// One partition's messages on their way to a feed: what counts, and where reading goes on.

import { expect, it } from 'vitest';
import type { PushResult } from '../../src/ingestion/index.ts';
import { createPartitionReader } from '../../src/streams/partition-reader.ts';
import type { StreamMessage } from '../../src/streams/message-stream.ts';

const messageAt = (offset: number): StreamMessage => ({
  offset,
  key: null,
  value: Buffer.from(`${offset}`),
  headers: [],
  timestampMs: 0,
});

/** Reads the offsets 3, 4 and 5 of a partition whose offsets end at 9, by a feed that answers the first push so. */
async function read(first: Pick<PushResult, 'accepted' | 'until'>) {
  const pushes: { rows: readonly unknown[]; from: number; to: number }[] = [];
  const counts: unknown[] = [];
  const context = {
    partition: 0,
    feed: {
      position: async () => undefined,
      begin: async (at: number) => at,
      keep: async () => {},
      push: async (rows: readonly unknown[], from: number, to: number): Promise<PushResult> => {
        pushes.push({ rows, from, to });
        const more = pushes.length === 1 ? first : { accepted: rows.length };
        const durable = { disk: true, replicas: 0 };
        return { duplicate: more.until !== undefined, views: [], durable, ...more } as PushResult;
      },
    },
    rules: () => ({ decode: (value: Uint8Array) => ({ n: Number(Buffer.from(value)) }), keyless: () => undefined }),
    sift: async () => new Map<number, string>(),
    deadLetters: { name: 'none', put: async () => {}, close: async () => {} },
    retry: <T>(_: string, work: () => Promise<T>) => work(),
    take: (wanted: number) => wanted,
    count: (one: unknown) => counts.push(one),
    failed: (error: unknown) => {
      throw error;
    },
  };
  const reader = createPartitionReader(context as never, 3, 9);
  const add = async (...offsets: number[]) => {
    const next = (offsets.at(-1) ?? 0) + 1;
    reader.add({ partition: 0, messages: offsets.map(messageAt), next, start: 0, end: 9 });
    await reader.idle();
  };
  await add(3, 4, 5);
  const { at, fetchAt, reached } = reader;
  return { pushes, counts, reader, add, place: { at, fetchAt, reached } };
}

it('counts what it pushed, and stands where the batch ended', async () => {
  const { pushes, counts, place } = await read({ accepted: 3 });
  expect(pushes).toEqual([{ rows: [{ n: 3 }, { n: 4 }, { n: 5 }], from: 3, to: 6 }]);
  expect(counts).toEqual([{ pushed: 3, dead: 0 }]);
  expect(place).toEqual({ at: 6, fetchAt: 6, reached: 6 });
});

it('goes on past what another has pushed from there before, and counts nothing of it', async () => {
  const { pushes, counts, place, add } = await read({ accepted: 0, until: 7 });
  expect(counts).toEqual([{ pushed: 0, dead: 0 }]);
  expect(place).toEqual({ at: 7, fetchAt: 7, reached: 7 });
  // An answer of the broker's from before that was known.
  await add(6, 7, 8);
  expect(pushes.slice(1)).toEqual([{ rows: [{ n: 7 }, { n: 8 }], from: 7, to: 9 }]);
  expect(counts.slice(1)).toEqual([{ pushed: 2, dead: 0 }]);
});

it('pushes again what another’s batch ended before', async () => {
  const { pushes, counts, place } = await read({ accepted: 0, until: 5 });
  expect(pushes.slice(1)).toEqual([{ rows: [{ n: 5 }], from: 5, to: 6 }]);
  expect(counts).toEqual([
    { pushed: 0, dead: 0 },
    { pushed: 1, dead: 0 },
  ]);
  expect(place).toEqual({ at: 6, fetchAt: 6, reached: 6 });
});

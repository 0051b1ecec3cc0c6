// What the embedded online store promises beyond the contract of all stores: its size limit, its layout, its grouping.

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { open } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/core/index.ts';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import type { OnlineStore, PartWrite } from '../../src/online/online-store.ts';
import { forEver, keyOf, partOf, refOf, runOnce, shown } from '../support/lmdb-records.ts';
import { runs } from '../support/tier.ts';

const MIB = 1024 ** 2;

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const openStore = (mapSizeBytes?: number, clock: Clock = systemClock): OnlineStore =>
  openLmdbStore({ path, project: 'test', clock, ...(mapSizeBytes === undefined ? {} : { mapSizeBytes }) });
const openWriter = (store: OnlineStore, lifetimeMs: (entity: string) => number | undefined = forEver) =>
  store.writer({ writer: 1, holder: 1, lifetimeMs, onNode() {} });
const fileSize = () => statSync(join(path, 'records', 'data.mdb')).size;

describe('the embedded store at its size limit', () => {
  const LIMIT = 8 * MIB;
  let store: OnlineStore;
  let n = 0;
  beforeEach(() => {
    store = openStore(LIMIT);
  });
  afterEach(() => store.close());

  const fill = async (prefix: string): Promise<number> => {
    const writer = await openWriter(store);
    let written = 0;
    for (;;) {
      const parts = Array.from({ length: 20 }, (_, i) => partOf(`${prefix}${written + i}`, Buffer.alloc(3000, 1)));
      try {
        await writer.putParts(parts);
      } catch (error) {
        expect(error).toMatchObject({ code: 'HR_STORAGE_FULL', message: expect.stringContaining('8 MiB') });
        const kept = await store.read(parts.map((part) => refOf(`${prefix}${written + parts.indexOf(part)}`)));
        expect(kept).toEqual(parts.map(() => undefined));
        await writer.close();
        return written;
      }
      written += parts.length;
    }
  };
  const empty = (prefix: string, count: number) =>
    runOnce(
      store,
      ++n,
      Array.from({ length: count }, (_, i) => ({
        key: keyOf(`${prefix}${i}`),
        base: Buffer.alloc(1),
        counted: [{ writer: 1, cut: 1, boundary: -Infinity }],
      })),
    );

  it('refuses to grow, keeps what it has, and nothing of what it refused', async () => {
    const written = await fill('a');
    expect(written).toBeGreaterThan(500);
    expect(fileSize()).toBeLessThan(LIMIT * 1.25);
    const records = await store.read(Array.from({ length: written }, (_, i) => refOf(`a${i}`)));
    expect(records.every((record) => record?.parts[0]?.fold.length === 3000)).toBe(true);
  });

  it('takes what makes it smaller, and then grows again into the space', async () => {
    const first = await fill('a');
    await empty('a', first);
    const second = await fill('b');
    expect(second).toBeGreaterThan(first * 0.8);
    await empty('b', second);
    expect(await fill('c')).toBeGreaterThan(first * 0.7);
    expect(fileSize()).toBeLessThan(LIMIT * 1.5);
  });

  it('takes a part that replaces one of its size, again and again', async () => {
    const written = await fill('a');
    const writer = await openWriter(store);
    for (let round = 2; round < 40; round++) {
      await writer.putParts([partOf(`a${round % written}`, Buffer.alloc(3000, round), { n: round })]);
    }
    await writer.close();
    expect(fileSize()).toBeLessThan(LIMIT * 1.5);
  });

  it('refuses one of many writes of a turn, and takes the others', async () => {
    await fill('a');
    await empty('a', 40);
    const writer = await openWriter(store);
    const results = await Promise.allSettled([
      writer.putParts([partOf('small1', Buffer.alloc(10))]),
      writer.putParts([partOf('large', Buffer.alloc(LIMIT))]),
      writer.putParts([partOf('small2', Buffer.alloc(10))]),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const kept = await store.read(['small1', 'large', 'small2'].map((name) => refOf(name)));
    expect(kept.map((record) => record !== undefined)).toEqual([true, false, true]);
    await writer.close();
  });
});

it('keeps base and parts whatever their sizes, beside each other and apart', async () => {
  const store = openStore();
  const writer = await openWriter(store);
  const size = fc.constantFrom(0, 1, 100, 1400, 1600, 5000, 40_000);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('part' as const), cut: fc.integer({ min: 1, max: 3 }), size }),
    fc.record({
      kind: fc.constant('base' as const),
      size,
      counted: fc.subarray([1, 2, 3]),
    }),
  );
  let history = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.boolean(), async (steps, isLongKey) => {
      const name = `${isLongKey ? 'long'.repeat(500) : 'short'}${history++}`;
      let base: string | undefined;
      const parts = new Map<number, string>();
      for (const [index, one] of steps.entries()) {
        const content = String.fromCharCode(97 + index).repeat(one.size);
        if (one.kind === 'part') {
          await writer.putParts([partOf(name, Buffer.from(content), { cut: one.cut, n: index })]);
          parts.set(one.cut, content);
        } else {
          const counted = one.counted.map((cut) => ({ writer: 1, cut, boundary: -Infinity }));
          await runOnce(store, history * 100 + index, [{ key: keyOf(name), base: Buffer.from(content), counted }]);
          base = content;
          for (const cut of one.counted) parts.delete(cut);
        }
        const expected =
          base === undefined && parts.size === 0
            ? 'none'
            : [base ?? '-', ...[...parts].sort().map(([cut, fold]) => `1.${cut}.-Infinity=${fold}`)].join(' ');
        expect(shown((await store.read([refOf(name)]))[0])).toBe(expected);
      }
    }),
    { numRuns: runs(60) },
  );
  await writer.close();
  await store.close();
});

it('puts the writes of one turn into one transaction, and many keys into several', async () => {
  const store = openStore();
  const writer = await openWriter(store);
  const watch = open({ path: join(path, 'records'), noSubdir: false, overlappingSync: false });
  // LMDB's own figure, which the library's type leaves out.
  const transactions = () => (watch.getStats() as { lastTxnId: number }).lastTxnId;
  const before = transactions();
  await Promise.all(Array.from({ length: 200 }, (_, i) => writer.putParts([partOf(`k${i}`, Buffer.alloc(9))])));
  expect(transactions()).toBe(before + 1);
  await writer.putParts(Array.from({ length: 1000 }, (_, i) => partOf(`m${i}`, Buffer.alloc(9))));
  expect(transactions()).toBe(before + 5);
  await writer.close();
  await watch.close();
  await store.close();
});

it('lets other work have its turn between the transactions of a large write', async () => {
  const store = openStore();
  const writer = await openWriter(store);
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await writer.putParts(Array.from({ length: 2560 }, (_, i) => partOf(`k${i}`, Buffer.alloc(9))));
  const turnsOfParts = turns;
  const writes = Array.from({ length: 10_240 }, (_, i) => ({ key: keyOf(`k${i}`), base: Buffer.alloc(9) }));
  await runOnce(store, 1, writes);
  isDone = true;
  expect(turnsOfParts).toBeGreaterThanOrEqual(10);
  expect(turns - turnsOfParts).toBeGreaterThanOrEqual(9);
  await writer.close();
  await store.close();
});

describe('lifetimes', () => {
  it('end a record when its base and its parts are past theirs, by the clock that is given', async () => {
    let now = 1_000_000_000;
    const store = openStore(undefined, { nowMicros: () => now });
    const lifetimeMs = () => 1000;
    const writer = await openWriter(store, lifetimeMs);
    const large = Buffer.alloc(5000);
    await writer.putParts([partOf('small', Buffer.alloc(1)), partOf('apart', large), partOf('renewed', large)]);
    const run = await store.run({ version: 'v@1', run: 1, lifetimeMs, isOpen: async () => true });
    await run.begin('lmdb');
    const base = (name: string) => ({ entity: 'thing', key: keyOf(name), base: Buffer.alloc(1) });
    await run.write('lmdb', ['apart', 'renewed', 'based'].map(base));
    const there = async () =>
      (await store.read(['small', 'apart', 'renewed', 'based'].map((name) => refOf(name)))).map(
        (record) => record !== undefined,
      );
    now += 900_000;
    await writer.putParts([partOf('renewed', large, { n: 2 })]);
    expect(await store.removeExpired(now)).toBe(0);
    now += 900_000;
    expect(await store.removeExpired(now)).toBe(3);
    expect(await there()).toEqual([false, false, true, false]);
    expect((await store.read([refOf('renewed')]))[0]?.parts[0]?.fold.length).toBe(5000);
    now += 900_000;
    expect(await store.removeExpired(now)).toBe(1);
    expect(await there()).toEqual([false, false, false, false]);
    await run.close();
    await writer.close();
    await store.close();
  });

  it('end a claim only once its retention has passed, whatever the wall clock says, and the next claim wins', async () => {
    let wall = 1_000_000_000;
    let steady = 5000;
    const store = openLmdbStore({
      path,
      project: 'test',
      clock: { nowMicros: () => wall },
      steadyClock: { id: 'boot', nowMicros: () => steady },
    });
    const writer = await openWriter(store);
    const claim = { id: 'id', writer: 1, offset: 1, payloadHash: 'h' };
    await writer.claim([claim]);
    steady += 1e12;
    expect(await writer.claims(['id'])).toEqual([claim]);
    await writer.expire([claim], 1000);
    wall += 1e15;
    steady += 1_000_000;
    await store.removeExpired(wall);
    expect(await writer.claim([{ ...claim, offset: 2 }])).toEqual([claim]);
    wall = 0;
    steady += 1;
    expect(await writer.claims(['id'])).toEqual([undefined]);
    expect(await writer.claim([{ ...claim, offset: 2 }])).toEqual([{ ...claim, offset: 2 }]);
    await writer.expire([{ ...claim, offset: 2 }], 1000);
    steady += 1_000_001;
    await store.removeExpired(wall);
    expect(await writer.claim([{ ...claim, offset: 3 }])).toEqual([{ ...claim, offset: 3 }]);
    await writer.close();
    await store.close();
  });
});

it('takes a part of another holder and number as the contract says when parts lie apart', async () => {
  const store = openStore();
  const writer = await openWriter(store);
  const put = (holder: number, n: number, rest: Partial<PartWrite> = {}) =>
    writer.putParts([partOf('big', Buffer.from(`${holder}/${n}`.padEnd(4000)), { holder, n, ...rest })]);
  await put(2, 5);
  await put(1, 9);
  await put(2, 4);
  await put(2, 6);
  await put(1, 1, { writer: 7 });
  const [record] = await store.read([refOf('big')]);
  expect(record?.parts.map(({ fold }) => Buffer.from(fold).toString().trim())).toEqual(['2/6', '1/1']);
  await writer.close();
  await store.close();
});

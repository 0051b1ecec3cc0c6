// What the embedded online store promises beyond the contract of all stores: its size limit, its layout, its grouping; and what a
// power loss leaves, played out on copies of its files: each page that was written since the last checkpoint may have reached the
// disk or not, in any mixture, and LMDB's own two meta pages among them.

import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { open } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/core/index.ts';
import { bootId } from '../../src/online/lmdb/boot-id.ts';
import { type LmdbOptions, openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import type { Claim, OnlineStore, PartWrite, StoreWriter } from '../../src/online/online-store.ts';
import { createRandom } from '../support/chance.ts';
import { forEver, keyOf, partOf, refOf, runOnce, shown } from '../support/lmdb-records.ts';
import { skipBecause } from '../support/skips.ts';
import { runs } from '../support/tier.ts';

const MIB = 1024 ** 2;

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
});
afterEach(async () => {
  for (const one of closers.splice(0)) await one.close();
  rmSync(path, { recursive: true, force: true });
});

const openStore = (mapSizeBytes?: number, clock: Clock = systemClock): OnlineStore =>
  openLmdbStore({ path, project: 'test', clock, ...(mapSizeBytes === undefined ? {} : { mapSizeBytes }) });
const openWriter = (store: OnlineStore, lifetimeMs: (entity: string) => number | undefined = forEver) =>
  store.writer({ writer: 1, holder: 1, lifetimeMs, onNode() {} });
const closers: { close(): Promise<void> }[] = [];
/** A store and a writer of it, until the test ends. */
const opened = async (store = openStore(), lifetimeMs: (entity: string) => number | undefined = forEver) => {
  const writer = await openWriter(store, lifetimeMs);
  closers.push(writer, store);
  return { store, writer };
};
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
    for (let round = 2; round < 40; round++)
      await writer.putParts([partOf(`a${round % written}`, Buffer.alloc(3000, round), { n: round })]);
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
  const { store, writer } = await opened();
  const size = fc.constantFrom(0, 1, 100, 1400, 1600, 5000, 40_000);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('part' as const), cut: fc.integer({ min: 1, max: 3 }), size }),
    fc.record({ kind: fc.constant('base' as const), size, counted: fc.subarray([1, 2, 3]) }),
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
});

it('puts the writes of one turn into one transaction, and many keys into several', async () => {
  const { writer } = await opened();
  const watch = open({ path: join(path, 'records'), noSubdir: false, overlappingSync: false });
  // LMDB's own figure, which the library's type leaves out.
  const transactions = () => (watch.getStats() as { lastTxnId: number }).lastTxnId;
  const before = transactions();
  await Promise.all(Array.from({ length: 200 }, (_, i) => writer.putParts([partOf(`k${i}`, Buffer.alloc(9))])));
  expect(transactions()).toBe(before + 1);
  await writer.putParts(Array.from({ length: 1000 }, (_, i) => partOf(`m${i}`, Buffer.alloc(9))));
  expect(transactions()).toBe(before + 5);
  await watch.close();
});

it('lets other work have its turn between the transactions of a large write', async () => {
  const { store, writer } = await opened();
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
});

describe('lifetimes', () => {
  it('end a record when its base and its parts are past theirs, by the clock that is given', async () => {
    let now = 1_000_000_000;
    const lifetimeMs = () => 1000;
    const { store, writer } = await opened(openStore(undefined, { nowMicros: () => now }), lifetimeMs);
    const large = Buffer.alloc(5000);
    await writer.putParts([partOf('small', Buffer.alloc(1)), partOf('apart', large), partOf('renewed', large)]);
    const run = await store.run({ version: 'v@1', run: 1, entity: 'thing', lifetimeMs, isOpen: async () => true });
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
  });

  it('end a claim only once its retention has passed, whatever the wall clock says, and the next claim wins', async () => {
    let wall = 1_000_000_000;
    let steady = 5000;
    const clocks = { clock: { nowMicros: () => wall }, steadyClock: { id: 'boot', nowMicros: () => steady } };
    const { store, writer } = await opened(openLmdbStore({ path, project: 'test', ...clocks }));
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
  });
});

it('takes a part of another holder and number as the contract says when parts lie apart', async () => {
  const { store, writer } = await opened();
  const put = (holder: number, n: number, rest: Partial<PartWrite> = {}) =>
    writer.putParts([partOf('big', Buffer.from(`${holder}/${n}`.padEnd(4000)), { holder, n, ...rest })]);
  await put(2, 5);
  await put(1, 9);
  await put(2, 4);
  await put(2, 6);
  await put(1, 1, { writer: 7 });
  const [record] = await store.read([refOf('big')]);
  expect(record?.parts.map(({ fold }) => Buffer.from(fold).toString().trim())).toEqual(['2/6', '1/1']);
});

const PAGE = 4096;
const NAMES = Array.from({ length: 60 }, (_, index) => `key${index}`);
const refs = NAMES.map((name) => refOf(name));

const openAt = (path: string, more: Partial<LmdbOptions> = {}): OnlineStore =>
  openLmdbStore({ path, project: 'test', clock: systemClock, ...more });
const openWriterOf = (store: OnlineStore, writer = 1): Promise<StoreWriter> =>
  store.writer({ writer, holder: 1, lifetimeMs: forEver, onNode() {} });
const state = async (store: OnlineStore): Promise<string[]> => [
  ...(await store.read(refs)).map(shown),
  JSON.stringify(await store.marks('v@1')),
];

const openLedger = (path: string) =>
  open<Buffer, Buffer>({
    path: join(path, 'ledger'),
    encoding: 'binary',
    keyEncoding: 'binary',
    noSubdir: false,
    overlappingSync: false,
  });

/** What the ledger of a folder has under keys that begin with a letter. */
async function ledgerOf(path: string, letter: string): Promise<readonly Buffer[]> {
  const ledger = openLedger(path);
  ledger.resetReadTxn();
  const end = Buffer.from([letter.charCodeAt(0) + 1]);
  const found = [...ledger.getRange({ start: Buffer.from(letter), end })].map(({ value }) => Buffer.from(value));
  await ledger.close();
  return found;
}

/** The newest checkpoint that the ledger of a folder holds. */
async function checkpointOf(path: string): Promise<number> {
  return Math.max(...(await ledgerOf(path, 's')).map((value) => value.readDoubleLE(0)));
}

/** Makes the folder one of a machine that was started anew. */
async function startAnew(path: string): Promise<void> {
  const ledger = openLedger(path);
  await ledger.put(Buffer.from('boot'), Buffer.from('another start'));
  await ledger.close();
}

const dataOf = (path: string): string => join(path, 'records', 'data.mdb');

/** What a power loss can't take, and of which checkpoint that is. */
interface OnDisk {
  readonly data: Buffer;
  readonly checkpoint: number;
}

async function onDisk(path: string): Promise<OnDisk> {
  return { data: readFileSync(dataOf(path)), checkpoint: await checkpointOf(path) };
}

/** Makes `crashed` what a power loss leaves of the folder: each page is as it was on disk, or as it is now. */
async function losePower(path: string, crashed: string, before: OnDisk, random: () => number): Promise<void> {
  cpSync(path, crashed, { recursive: true });
  // A checkpoint that the store made by itself meanwhile is a later flush, which these cases know nothing of.
  fc.pre((await checkpointOf(crashed)) === before.checkpoint);
  writeFileSync(dataOf(crashed), mixPages(before.data, readFileSync(dataOf(crashed)), random));
  await startAnew(crashed);
}

/**
 * Puts a file in the place of the one that this process syncs, which the system can't sync (EINVAL). LMDB has the data
 * file open for itself, for writing too.
 */
function failItsDisk(path: string): void {
  const isSynced = (fd: string): boolean => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === dataOf(path) && /^flags:\s*\d*0$/m.test(flagsOf(fd));
    } catch {
      return false;
    }
  };
  const flagsOf = (fd: string): string => readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  const fds = readdirSync('/proc/self/fd').filter(isSynced);
  expect(fds).toHaveLength(1);
  const fd = Number(fds[0]);
  closeSync(fd);
  // The system gives the lowest that is free.
  const others: number[] = [];
  for (let opened = openSync('/dev/zero', 'r'); opened !== fd; opened = openSync('/dev/zero', 'r')) others.push(opened);
  for (const other of others) closeSync(other);
}

/** Runs `work` in two fresh folders; closes what it opened, the last first, then removes them. */
async function inFolders(
  work: (path: string, crashed: string, closeLater: CloseLater) => Promise<void>,
): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'headrace-power-'));
  const crashed = mkdtempSync(join(tmpdir(), 'headrace-crashed-'));
  const opened: Closable[] = [];
  try {
    await work(path, crashed, (one) => {
      opened.unshift(one);
      return one;
    });
  } finally {
    for (const one of opened) await one.close();
    for (const one of [path, crashed]) rmSync(one, { recursive: true, force: true });
  }
}

interface Closable {
  close(): Promise<void>;
}
type CloseLater = <T extends Closable>(one: T) => T;

/** Two processes on one folder, with a writer each. */
async function openTwo(path: string, closeLater: CloseLater, numbers: readonly [number, number]) {
  const stores = numbers.map(() => closeLater(openAt(path)));
  const writers: StoreWriter[] = [];
  for (const [i, store] of stores.entries()) writers.push(closeLater(await openWriterOf(store, numbers[i])));
  return { stores, writers };
}

function mixPages(before: Buffer, after: Buffer, random: () => number): Buffer {
  const mixed = Buffer.from(after);
  for (let at = 0; at < after.length; at += PAGE) {
    // Past the old end a page that was not written reads as zeros.
    const old = before.subarray(at, at + PAGE);
    const choice = random();
    if (choice < 0.4) {
      mixed.fill(0, at, at + PAGE);
      old.copy(mixed, at);
    } else if (choice < 0.5) {
      old.copy(mixed, at, 0, PAGE / 2);
    }
  }
  return mixed;
}

const hasBootId = bootId() !== undefined;
if (!hasBootId) skipBecause('a power loss under the embedded store: this system does not tell when it was started');

describe.skipIf(!hasBootId)('after a power loss the embedded store', () => {
  it('is what it was at its last flush, whichever pages reached the disk', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 5 }),
        (seed, bursts) =>
          inFolders(async (path, crashed, closeLater) => {
            const random = createRandom(seed).next;
            const { stores, writers } = await openTwo(path, closeLater, [1, 1]);
            let n = 0;
            const burst = async (count: number) => {
              for (let i = 0; i < count; i++) {
                const name = NAMES[Math.floor(random() * NAMES.length)] as string;
                const size = Math.floor(random() * 3000);
                const writer = writers[Math.floor(random() * writers.length)] as StoreWriter;
                await writer.putParts([partOf(name, Buffer.alloc(size, 97 + (n % 26)), { n: ++n })]);
              }
            };
            let atFlush: string[] = [];
            let before: OnDisk = { data: Buffer.alloc(0), checkpoint: 0 };
            for (const [index, count] of bursts.entries()) {
              await burst(count);
              const store = stores[index % 2] as OnlineStore;
              // A run's mark is flushed, and all before it.
              await runOnce(store, index + 1, [{ key: keyOf('marked'), base: Buffer.alloc(1) }]);
              atFlush = await state(store);
              before = await onDisk(path);
            }
            await burst(60);
            await losePower(path, crashed, before, random);
            const recovered = closeLater(openAt(crashed));
            expect(await state(recovered)).toEqual(atFlush);
            const writer = closeLater(await openWriterOf(recovered));
            await writer.putParts(NAMES.map((name) => partOf(name, Buffer.from('new'), { n: n + 1 })));
            expect((await recovered.read(refs)).every((record) => record?.parts[0]?.fold.length === 3)).toBe(true);
          }),
      ),
      { numRuns: runs(25) },
    );
  });

  it('keeps a claim that came in the place of one past its end', () =>
    inFolders(async (path, crashed, closeLater) => {
      let passed = 0;
      const steadyClock = { id: 'one', nowMicros: () => passed };
      const store = closeLater(openAt(path, { steadyClock, checkpointMs: 600_000 }));
      const [first, second] = [closeLater(await openWriterOf(store, 1)), closeLater(await openWriterOf(store, 2))];
      const [old, own] = [1, 2].map((writer) => ({ id: 'k', writer, offset: 7, payloadHash: 'h' })) as [Claim, Claim];
      await first.claim([old]);
      await first.expire([old], 1000);
      await runOnce(store, 1, [{ key: keyOf('marked'), base: Buffer.alloc(1) }]);
      // A repeat before the end: the ledger has the old one again.
      expect(await second.claim([own])).toEqual([old]);
      passed = 2_000_000;
      expect(await second.claim([own])).toEqual([own]);
      cpSync(path, crashed, { recursive: true });
      await startAnew(crashed);
      const recovered = closeLater(openAt(crashed, { steadyClock }));
      const heir = closeLater(await openWriterOf(recovered, 3));
      expect(await heir.claims(['k'])).toEqual([own]);
      expect(await heir.claim([{ ...own, writer: 3 }])).toEqual([own]);
    }));

  it('keeps them whichever pages reached the disk, and each with who was given it', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 6 }), (seed, calls) =>
        inFolders(async (path, crashed, closeLater) => {
          const random = createRandom(seed).next;
          const { stores, writers } = await openTwo(path, closeLater, [1, 2]);
          let before = await onDisk(path);
          const given = new Map<string, unknown>();
          for (const [call, count] of calls.entries()) {
            const i = Math.floor(random() * 2);
            const some = Array.from({ length: count }, (_, offset) => ({
              id: `c${Math.floor(random() * 60)}`,
              writer: i + 1,
              offset: call * 100 + offset,
              payloadHash: 'h',
            }));
            const unique = [...new Map(some.map((claim) => [claim.id, claim])).values()];
            for (const holder of await (writers[i] as StoreWriter).claim(unique)) given.set(holder.id, holder);
            // A flush in between takes claims out of the journal.
            if (random() < 0.8) continue;
            const marked = [{ key: keyOf('x'), base: Buffer.alloc(1) }];
            await runOnce(stores[i] as OnlineStore, call + 1, marked);
            before = await onDisk(path);
          }
          await losePower(path, crashed, before, random);
          // A power loss during the recovery of the first.
          await openAt(crashed).close();
          await startAnew(crashed);
          const heir = closeLater(await openWriterOf(closeLater(openAt(crashed)), 3));
          expect(await heir.claims([...given.keys()])).toEqual([...given.values()]);
        }),
      ),
      { numRuns: runs(15) },
    );
  });

  it('has given no claim that it could not keep, once its disk had failed', () =>
    inFolders(async (path, _crashed, closeLater) => {
      const store = closeLater(openAt(path, { checkpointMs: 600_000 }));
      const writer = closeLater(await openWriterOf(store));
      const claimOf = (id: string) => ({ id, writer: 1, offset: 1, payloadHash: 'h' });
      await writer.claim([claimOf('before')]);
      failItsDisk(path);
      const hasFailed = { code: 'HR_ONLINE_UNAVAILABLE', message: expect.stringContaining('disk failed') };
      const marked = runOnce(store, 1, [{ key: keyOf('marked'), base: Buffer.alloc(1) }]);
      await expect(marked).rejects.toMatchObject(hasFailed);
      const kept = await ledgerOf(path, 'w');
      expect(kept).toHaveLength(1);
      for (const id of ['one', 'two', 'three'])
        await expect(writer.claim([claimOf(id)])).rejects.toMatchObject(hasFailed);
      expect(await ledgerOf(path, 'w')).toEqual(kept);
    }));

  it('is empty when nothing was ever flushed, and whole after a clean stop', () =>
    inFolders(async (path, _crashed, closeLater) => {
      await openAt(path).close();
      await startAnew(path);
      const second = openAt(path);
      expect(await second.read([refOf('one')])).toEqual([undefined]);
      const writer = await openWriterOf(second);
      await writer.putParts([partOf('one', Buffer.from('p'))]);
      await writer.close();
      await second.close();
      await startAnew(path);
      const third = closeLater(openAt(path));
      expect(shown((await third.read([refOf('one')]))[0])).toBe('- 1.1.-Infinity=p');
    }));
});

// A power loss, played out on copies of the store's files: each page that was written since the last checkpoint may have
// reached the disk or not, in any mixture, and LMDB's own two meta pages among them.

import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { open } from 'lmdb';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { bootId } from '../../src/online/lmdb/boot-id.ts';
import { type LmdbOptions, openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import type { Claim, OnlineStore, StoreWriter } from '../../src/online/online-store.ts';
import { forEver, keyOf, partOf, refOf, runOnce, shown } from '../support/lmdb-records.ts';
import { skipBecause } from '../support/skips.ts';
import { runs } from '../support/tier.ts';

const PAGE = 4096;
const NAMES = Array.from({ length: 60 }, (_, index) => `key${index}`);
const refs = NAMES.map((name) => refOf(name));

const openStore = (path: string, more: Partial<LmdbOptions> = {}): OnlineStore =>
  openLmdbStore({ path, project: 'test', clock: systemClock, ...more });
const openWriter = (store: OnlineStore, writer = 1): Promise<StoreWriter> =>
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
  work: (path: string, crashed: string, closeLater: <T extends Closable>(one: T) => T) => Promise<void>,
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

function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
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
            const random = generator(seed);
            const stores = [closeLater(openStore(path)), closeLater(openStore(path))] as const;
            const writers: StoreWriter[] = [];
            for (const store of stores) writers.push(closeLater(await openWriter(store)));
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
            const recovered = closeLater(openStore(crashed));
            expect(await state(recovered)).toEqual(atFlush);
            const writer = closeLater(await openWriter(recovered));
            await writer.putParts(NAMES.map((name) => partOf(name, Buffer.from('new'), { n: n + 1 })));
            expect((await recovered.read(refs)).every((record) => record?.parts[0]?.fold.length === 3)).toBe(true);
          }),
      ),
      { numRuns: runs(25) },
    );
  });

  it('keeps each claim that was given', () =>
    inFolders(async (path, crashed, closeLater) => {
      const writer = closeLater(await openWriter(closeLater(openStore(path))));
      const claims = Array.from({ length: 20 }, (_, i) => ({ id: `c${i}`, writer: 1, offset: i, payloadHash: 'h' }));
      for (const claim of claims) {
        await writer.putParts([partOf('noise', Buffer.alloc(2000, claim.offset), { n: claim.offset + 1 })]);
        await writer.claim([claim]);
      }
      // What a power loss leaves at least: what was on disk when the last claim was given.
      cpSync(path, crashed, { recursive: true });
      await startAnew(crashed);
      const heir = closeLater(await openWriter(closeLater(openStore(crashed)), 2));
      expect(await heir.claims(claims.map(({ id }) => id))).toEqual(claims);
    }));

  it('keeps a claim that came in the place of one past its end', () =>
    inFolders(async (path, crashed, closeLater) => {
      let passed = 0;
      const steadyClock = { id: 'one', nowMicros: () => passed };
      const store = closeLater(openStore(path, { steadyClock, checkpointMs: 600_000 }));
      const [first, second] = [closeLater(await openWriter(store, 1)), closeLater(await openWriter(store, 2))];
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
      const recovered = closeLater(openStore(crashed, { steadyClock }));
      const heir = closeLater(await openWriter(recovered, 3));
      expect(await heir.claims(['k'])).toEqual([own]);
      expect(await heir.claim([{ ...own, writer: 3 }])).toEqual([own]);
    }));

  it('keeps them whichever pages reached the disk, and each with who was given it', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 6 }), (seed, calls) =>
        inFolders(async (path, crashed, closeLater) => {
          const random = generator(seed);
          const stores = [closeLater(openStore(path)), closeLater(openStore(path))] as const;
          const writers: StoreWriter[] = [];
          for (const [i, store] of stores.entries()) writers.push(closeLater(await openWriter(store, i + 1)));
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
          await openStore(crashed).close();
          await startAnew(crashed);
          const heir = closeLater(await openWriter(closeLater(openStore(crashed)), 3));
          expect(await heir.claims([...given.keys()])).toEqual([...given.values()]);
        }),
      ),
      { numRuns: runs(15) },
    );
  });

  it('has given no claim that it could not keep, once its disk had failed', () =>
    inFolders(async (path, _crashed, closeLater) => {
      const store = closeLater(openStore(path, { checkpointMs: 600_000 }));
      const writer = closeLater(await openWriter(store));
      const claimOf = (id: string) => ({ id, writer: 1, offset: 1, payloadHash: 'h' });
      await writer.claim([claimOf('before')]);
      failItsDisk(path);
      const hasFailed = { code: 'HR_ONLINE_UNAVAILABLE', message: expect.stringContaining('disk failed') };
      const marked = runOnce(store, 1, [{ key: keyOf('marked'), base: Buffer.alloc(1) }]);
      await expect(marked).rejects.toMatchObject(hasFailed);
      const kept = await ledgerOf(path, 'w');
      expect(kept).toHaveLength(1);
      for (const id of ['one', 'two', 'three']) {
        await expect(writer.claim([claimOf(id)])).rejects.toMatchObject(hasFailed);
      }
      expect(await ledgerOf(path, 'w')).toEqual(kept);
    }));

  it('is empty when nothing was ever flushed, and whole after a clean stop', async () => {
    const path = mkdtempSync(join(tmpdir(), 'headrace-power-'));
    const first = openStore(path);
    await first.close();
    await startAnew(path);
    const second = openStore(path);
    expect(await second.read([refOf('one')])).toEqual([undefined]);
    const writer = await openWriter(second);
    await writer.putParts([partOf('one', Buffer.from('p'))]);
    await writer.close();
    await second.close();
    await startAnew(path);
    const third = openStore(path);
    expect(shown((await third.read([refOf('one')]))[0])).toBe('- 1.1.-Infinity=p');
    await third.close();
    expect(existsSync(join(path, 'records', 'data.mdb'))).toBe(true);
    rmSync(path, { recursive: true, force: true });
  });
});

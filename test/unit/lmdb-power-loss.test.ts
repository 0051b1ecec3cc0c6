// A power loss, played out on copies of the store's files: each page that was written since the last checkpoint may have
// reached the disk or not, in any mixture, and LMDB's own two meta pages among them.

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { open } from 'lmdb';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { bootId } from '../../src/online/lmdb/boot-id.ts';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import type { OnlineStore, StoreWriter } from '../../src/online/online-store.ts';
import { forEver, keyOf, partOf, refOf, runOnce, shown } from '../support/lmdb-records.ts';
import { skipBecause } from '../support/skips.ts';

const PAGE = 4096;
const NAMES = Array.from({ length: 60 }, (_, index) => `key${index}`);
const refs = NAMES.map((name) => refOf(name));

const openStore = (path: string): OnlineStore => openLmdbStore({ path, project: 'test', clock: systemClock });
const openWriter = (store: OnlineStore, writer = 1): Promise<StoreWriter> =>
  store.writer({ writer, holder: 1, lifetimeMs: forEver, onNode() {} });
const state = async (store: OnlineStore): Promise<string[]> => [
  ...(await store.read(refs)).map(shown),
  JSON.stringify(await store.marks('v@1')),
];

/** The newest checkpoint that the ledger of a folder holds. */
async function checkpointOf(path: string): Promise<number> {
  const ledger = open<Buffer, Buffer>({
    path: join(path, 'ledger'),
    encoding: 'binary',
    keyEncoding: 'binary',
    noSubdir: false,
    overlappingSync: false,
  });
  ledger.resetReadTxn();
  const slots = [...ledger.getRange({ start: Buffer.from('s'), end: Buffer.from('t') })];
  await ledger.close();
  return Math.max(...slots.map(({ value }) => value.readDoubleLE(0)));
}

/** Makes the folder one of a machine that was started anew. */
async function startAnew(path: string): Promise<void> {
  const ledger = open<Buffer, Buffer>({
    path: join(path, 'ledger'),
    encoding: 'binary',
    keyEncoding: 'binary',
    noSubdir: false,
    overlappingSync: false,
  });
  await ledger.put(Buffer.from('boot'), Buffer.from('another start'));
  await ledger.close();
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
        async (seed, bursts) => {
          const random = generator(seed);
          const path = mkdtempSync(join(tmpdir(), 'headrace-power-'));
          const crashed = mkdtempSync(join(tmpdir(), 'headrace-crashed-'));
          try {
            const stores = [openStore(path), openStore(path)] as const;
            const writers = await Promise.all(stores.map((store) => openWriter(store)));
            const dataFile = join(path, 'records', 'data.mdb');
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
            let before = Buffer.alloc(0);
            let checkpoint = 0;
            for (const [index, count] of bursts.entries()) {
              await burst(count);
              const store = stores[index % 2] as OnlineStore;
              // A run's mark is flushed, and all before it.
              await runOnce(store, index + 1, [{ key: keyOf('marked'), base: Buffer.alloc(1) }]);
              atFlush = await state(store);
              before = readFileSync(dataFile);
              checkpoint = await checkpointOf(path);
            }
            await burst(60);
            cpSync(path, crashed, { recursive: true });
            // A checkpoint that the store made by itself meanwhile is a later flush, which this case knows nothing of.
            fc.pre((await checkpointOf(crashed)) === checkpoint);
            const after = readFileSync(join(crashed, 'records', 'data.mdb'));
            writeFileSync(join(crashed, 'records', 'data.mdb'), mixPages(before, after, random));
            await startAnew(crashed);
            const recovered = openStore(crashed);
            expect(await state(recovered)).toEqual(atFlush);
            const writer = await openWriter(recovered);
            await writer.putParts(NAMES.map((name) => partOf(name, Buffer.from('new'), { n: n + 1 })));
            expect((await recovered.read(refs)).every((record) => record?.parts[0]?.fold.length === 3)).toBe(true);
            await writer.close();
            await recovered.close();
            for (const store of stores) await store.close();
          } finally {
            rmSync(path, { recursive: true, force: true });
            rmSync(crashed, { recursive: true, force: true });
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('keeps each claim that was given', async () => {
    const path = mkdtempSync(join(tmpdir(), 'headrace-power-'));
    const crashed = mkdtempSync(join(tmpdir(), 'headrace-crashed-'));
    const store = openStore(path);
    const writer = await openWriter(store);
    const claims = Array.from({ length: 20 }, (_, i) => ({ id: `c${i}`, writer: 1, offset: i, payloadHash: 'h' }));
    for (const claim of claims) {
      await writer.putParts([partOf('noise', Buffer.alloc(2000, claim.offset), { n: claim.offset + 1 })]);
      await writer.claim([claim]);
    }
    // What a power loss leaves at least: what was on disk when the last claim was given.
    cpSync(path, crashed, { recursive: true });
    await startAnew(crashed);
    const recovered = openStore(crashed);
    const heir = await recovered.writer({ writer: 2, holder: 1, lifetimeMs: forEver, onNode() {} });
    expect(await heir.claims(claims.map(({ id }) => id))).toEqual(claims);
    for (const one of [writer, heir]) await one.close();
    for (const one of [store, recovered]) await one.close();
    for (const one of [path, crashed]) rmSync(one, { recursive: true, force: true });
  });

  it('keeps them whichever pages reached the disk, and each with who was given it', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 6 }),
        async (seed, calls) => {
          const random = generator(seed);
          const path = mkdtempSync(join(tmpdir(), 'headrace-power-'));
          const crashed = mkdtempSync(join(tmpdir(), 'headrace-crashed-'));
          try {
            const stores = [openStore(path), openStore(path)] as const;
            const writers = await Promise.all(stores.map((store, i) => openWriter(store, i + 1)));
            let before = readFileSync(join(path, 'records', 'data.mdb'));
            let checkpoint = await checkpointOf(path);
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
              before = readFileSync(join(path, 'records', 'data.mdb'));
              checkpoint = await checkpointOf(path);
            }
            cpSync(path, crashed, { recursive: true });
            fc.pre((await checkpointOf(crashed)) === checkpoint);
            const data = join(crashed, 'records', 'data.mdb');
            writeFileSync(data, mixPages(before, readFileSync(data), random));
            await startAnew(crashed);
            // A power loss during the recovery of the first.
            await openStore(crashed).close();
            await startAnew(crashed);
            const recovered = openStore(crashed);
            const heir = await openWriter(recovered, 3);
            expect(await heir.claims([...given.keys()])).toEqual([...given.values()]);
            await heir.close();
            await recovered.close();
            for (const store of stores) await store.close();
          } finally {
            rmSync(path, { recursive: true, force: true });
            rmSync(crashed, { recursive: true, force: true });
          }
        },
      ),
      { numRuns: 15 },
    );
  });

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

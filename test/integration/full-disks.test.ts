// A real small disk that fills up under the event log, the embedded store and a file of dead letters.

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import type { LogWriter } from '../../src/events/index.ts';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import type { OnlineStore } from '../../src/online/online-store.ts';
import { type DeadLetter, openDeadLetterFile } from '../../src/streams/index.ts';
import { eventLogWorld, numbersOf } from '../support/event-logs.ts';
import { fillDisk, freeDisk } from '../support/fill-disk.ts';
import { forEver, keyOf, partOf, refOf } from '../support/lmdb-records.ts';
import { numbersSource as source } from '../support/numbers-source.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const MIB = 1024 ** 2;
const disk = mountSmallDisk(8);
if (disk === undefined)
  skipBecause('event log, embedded store and dead letters on a full disk: this user may not mount one');
const root = disk?.path ?? '';
const hog = join(root, 'hog');
afterAll(() => disk?.remove());
beforeEach(() => {
  for (const name of disk === undefined ? [] : readdirSync(root)) rmSync(join(root, name), { recursive: true });
});

describe.skipIf(disk === undefined)('an event log on a full disk', () => {
  const push = (writer: LogWriter, n: number, size = 10) =>
    writer.append({ source, rows: [{ row: { n: BigInt(n), text: 'x'.repeat(size), at: n }, knownMicros: n }] });
  const numbers = async (writer: LogWriter): Promise<number[]> =>
    numbersOf(await Array.fromAsync(writer.entries(1, writer.cut)));
  const FULL = { code: 'HR_STORAGE_FULL' };

  it('refuses a push whole, with all that was called after it, and goes on when there is space', async () => {
    const world = await eventLogWorld();
    const path = join(root, 'log');
    const log = await world.open({ path });
    const writer = await log.register();
    await writer.openCut(new Map());
    await push(writer, 1);
    writeFileSync(hog, Buffer.alloc(5 * MIB));
    const before = statfsSync(root).bfree;
    const calls: Promise<unknown>[] = [push(writer, 2, 6 * MIB), writer.openCut(new Map())];
    // By now these are being written: what comes next waits behind them, in a cut whose mark is about to fail.
    await Promise.resolve();
    calls.push(push(writer, 3));
    const failed = await Promise.allSettled(calls);
    for (const result of failed) expect(result).toMatchObject({ status: 'rejected', reason: FULL });
    // The mark was not kept either: the old cut is open still.
    expect(writer.cut).toBe(1);
    expect(statfsSync(root).bfree).toBeGreaterThanOrEqual(before - 2);
    expect((await push(writer, 4)).cut).toBe(1);
    await expect(push(writer, 5, 6 * MIB)).rejects.toMatchObject(FULL);
    freeDisk(hog);
    await push(writer, 6, MIB);
    expect(await writer.openCut(new Map())).toBe(2);
    await push(writer, 7);
    expect(await numbers(writer)).toEqual([1, 4, 6, 7]);
    await writer.close();
    const [next] = (await log.adopt()) as [LogWriter];
    expect(await numbers(next)).toEqual([1, 4, 6, 7]);
    await next.seal(1, []);
    await next.seal(2, []);
    await next.ship();
    expect(numbersOf(await Array.fromAsync(log.read(1, 1, 2)))).toEqual([1, 4, 6, 7]);
    await world.remove();
  });

  it('also when not even a new segment can be begun', async () => {
    const world = await eventLogWorld();
    const log = await world.open({ path: join(root, 'other') });
    const writer = await log.register();
    await writer.openCut(new Map());
    await push(writer, 1);
    fillDisk(hog);
    // The first fails in the segment that is there, the others where a new one is begun.
    for (let n = 2; n < 6; n++) await expect(push(writer, n, 5000)).rejects.toMatchObject(FULL);
    freeDisk(hog);
    await push(writer, 6);
    await writer.close();
    const [next] = (await log.adopt()) as [LogWriter];
    expect(await numbers(next)).toEqual([1, 6]);
    await world.remove();
  });
});

describe.skipIf(disk === undefined)('the embedded store on a full disk', () => {
  const openStore = (path: string) => openLmdbStore({ path, project: 'test', clock: systemClock });
  const openWriter = (store: OnlineStore) => store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
  const names = Array.from({ length: 100 }, (_, index) => `key${index}`);
  const refs = names.map((name) => refOf(name));

  it('refuses a write whole, and takes it once there is space', async () => {
    const path = join(root, 'online');
    const store = openStore(path);
    const writer = await openWriter(store);
    const push = (size: number, n: number) =>
      writer.putParts(names.map((name) => partOf(name, Buffer.alloc(size, n), { n })));
    const folds = async () => (await store.read(refs)).map((record) => record?.parts[0]?.fold);
    await push(1000, 1);
    writeFileSync(hog, Buffer.alloc(5 * MIB));
    await expect(push(50_000, 2)).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    expect((await folds()).every((fold) => fold?.length === 1000 && fold[0] === 1)).toBe(true);
    const begin = () =>
      store.run({ version: 'v@1', run: 1, entity: 'thing', lifetimeMs: forEver, isOpen: async () => true });
    await expect(begin()).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    writeFileSync(hog, Buffer.alloc(4.5 * MIB));
    const run = await begin();
    await run.begin('lmdb');
    const bases = names.map((name) => ({ entity: 'thing', key: keyOf(name), base: Buffer.alloc(50_000) }));
    await expect(run.write('lmdb', bases)).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });

    freeDisk(hog);
    await push(20_000, 3);
    expect((await folds()).every((fold) => fold?.length === 20_000)).toBe(true);
    await run.write('lmdb', [{ entity: 'thing', key: keyOf('key0'), base: Buffer.from('b') }]);
    await run.mark('lmdb');
    await run.close();
    await writer.close();
    await store.close();

    const again = openStore(path);
    const [first] = await again.read(refs);
    expect(Buffer.from(first?.base ?? []).toString()).toBe('b');
    expect(first?.parts[0]?.fold.length).toBe(20_000);
    await again.close();
  });

  it('refuses a claim that it could not keep, and takes it once there is space', async () => {
    const path = join(root, 'claims');
    const store = openStore(path);
    const writer = await openWriter(store);
    const claim = (n: number) => ({ id: `c${n}`, writer: 1, offset: n, payloadHash: 'h'.repeat(3000) });
    fillDisk(hog);
    let n = 0;
    await expect(
      (async () => {
        for (; n < 1000; n++) expect(await writer.claim([claim(n)])).toEqual([claim(n)]);
      })(),
    ).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    freeDisk(hog);
    expect(await writer.claim([claim(n), claim(n + 1)])).toEqual([claim(n), claim(n + 1)]);
    expect(await writer.claims([claim(0).id])).toEqual([claim(0)]);
    await writer.close();
    await store.close();
  });

  it('refuses a claim when the disk of the ledger alone is full', async () => {
    const path = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
    mkdirSync(join(root, 'ledger'));
    symlinkSync(join(root, 'ledger'), join(path, 'ledger'));
    const store = openStore(path);
    fillDisk(hog);
    const open = () => openWriter(store);
    await expect(open()).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    freeDisk(hog);
    const writer = await open();
    const claim = { id: 'c', writer: 1, offset: 1, payloadHash: 'h' };
    expect(await writer.claim([claim])).toEqual([claim]);
    await writer.close();
    await store.close();
    rmSync(path, { recursive: true, force: true });
  });
});

const letter = (offset: number): DeadLetter => ({
  partition: 0,
  message: { offset, timestampMs: 0, key: null, value: Buffer.alloc(3000, 'x'), headers: [] },
  reason: 'it is no row',
});

it.skipIf(disk === undefined)(
  'dead letters are all there once the disk is not full, whatever was written half',
  async () => {
    const path = join(root, 'letters.jsonl');
    const letters = openDeadLetterFile(path, 'topic');
    await letters.put([letter(0)]);
    // What is left of the file's own last block holds a part of the next letter.
    fillDisk(hog);
    const more = Array.from({ length: 20 }, (_, i) => letter(1 + i));
    await expect(letters.put(more)).rejects.toMatchObject({ code: 'HR_DEAD_LETTERS' });
    freeDisk(hog);
    await letters.put(more);
    const found = readFileSync(path, 'utf8')
      .split('\n')
      .flatMap((line) => {
        try {
          return [(JSON.parse(line) as { offset: number }).offset];
        } catch {
          return []; // Written half.
        }
      });
    expect(new Set(found)).toEqual(new Set(Array.from({ length: 21 }, (_, i) => i)));
  },
);

// A real small disk that fills up under the embedded store.

import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import { forEver, keyOf, partOf, refOf } from '../support/lmdb-records.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const MIB = 1024 ** 2;
const disk = mountSmallDisk(8);
if (disk === undefined) skipBecause('a full disk under the embedded store: this user may not mount a small one');

describe.skipIf(disk === undefined)('the embedded store on a full disk', () => {
  const root = disk?.path ?? '';
  afterAll(() => disk?.remove());
  const names = Array.from({ length: 100 }, (_, index) => `key${index}`);
  const refs = names.map((name) => refOf(name));

  it('refuses a write whole, and takes it once there is space', async () => {
    const path = join(root, 'online');
    const store = openLmdbStore({ path, project: 'test', clock: systemClock });
    const writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
    const push = (size: number, n: number) =>
      writer.putParts(names.map((name) => partOf(name, Buffer.alloc(size, n), { n })));
    const folds = async () => (await store.read(refs)).map((record) => record?.parts[0]?.fold);
    await push(1000, 1);
    writeFileSync(join(root, 'hog'), Buffer.alloc(5 * MIB));
    await expect(push(50_000, 2)).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    expect((await folds()).every((fold) => fold?.length === 1000 && fold[0] === 1)).toBe(true);
    const begin = () => store.run({ version: 'v@1', run: 1, lifetimeMs: forEver, isOpen: async () => true });
    await expect(begin()).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    writeFileSync(join(root, 'hog'), Buffer.alloc(4.5 * MIB));
    const run = await begin();
    await run.begin('lmdb');
    const bases = names.map((name) => ({ entity: 'thing', key: keyOf(name), base: Buffer.alloc(50_000) }));
    await expect(run.write('lmdb', bases)).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });

    writeFileSync(join(root, 'hog'), '');
    await push(20_000, 3);
    expect((await folds()).every((fold) => fold?.length === 20_000)).toBe(true);
    await run.write('lmdb', [{ entity: 'thing', key: keyOf('key0'), base: Buffer.from('b') }]);
    await run.mark('lmdb');
    await run.close();
    await writer.close();
    await store.close();

    const again = openLmdbStore({ path, project: 'test', clock: systemClock });
    const [first] = await again.read(refs);
    expect(Buffer.from(first?.base ?? []).toString()).toBe('b');
    expect(first?.parts[0]?.fold.length).toBe(20_000);
    await again.close();
  });

  it('refuses a claim that it could not keep, and takes it once there is space', async () => {
    const path = join(root, 'claims');
    const hog = join(root, 'hog');
    const store = openLmdbStore({ path, project: 'test', clock: systemClock });
    const writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
    const claim = (n: number) => ({ id: `c${n}`, writer: 1, offset: n, payloadHash: 'h'.repeat(3000) });
    fillWith(hog);
    let n = 0;
    await expect(
      (async () => {
        for (; n < 1000; n++) expect(await writer.claim([claim(n)])).toEqual([claim(n)]);
      })(),
    ).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    writeFileSync(hog, '');
    expect(await writer.claim([claim(n), claim(n + 1)])).toEqual([claim(n), claim(n + 1)]);
    expect(await writer.claims([claim(0).id])).toEqual([claim(0)]);
    await writer.close();
    await store.close();
  });

  it('refuses a claim when the disk of the ledger alone is full', async () => {
    const path = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
    mkdirSync(join(root, 'ledger'));
    symlinkSync(join(root, 'ledger'), join(path, 'ledger'));
    const store = openLmdbStore({ path, project: 'test', clock: systemClock });
    fillWith(join(root, 'hog'));
    const open = () => store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
    await expect(open()).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    writeFileSync(join(root, 'hog'), '');
    const writer = await open();
    const claim = { id: 'c', writer: 1, offset: 1, payloadHash: 'h' };
    expect(await writer.claim([claim])).toEqual([claim]);
    await writer.close();
    await store.close();
    rmSync(path, { recursive: true, force: true });
  });
});

/** Writes a file as large as the disk takes. */
function fillWith(hog: string): void {
  const file = openSync(hog, 'w');
  for (const size of [MIB, 64 * 1024, 4096]) {
    for (let isFull = false; !isFull; ) {
      try {
        isFull = writeSync(file, Buffer.alloc(size)) < size;
      } catch {
        isFull = true;
      }
    }
  }
  closeSync(file);
}

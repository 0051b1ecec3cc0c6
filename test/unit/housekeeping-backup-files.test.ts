// Files of a backup: lines as they were written, and a manifest that is whole or is none.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/core/index.ts';
import { BEGUN, FORMAT, MANIFEST, readManifest } from '../../src/housekeeping/backup/backup-manifest.ts';
import { fetchChecked, hashFile, readLines, writeLines } from '../../src/housekeeping/backup/hashed-file.ts';
import { type ObjectStore, openObjectStore } from '../../src/storage/index.ts';

let folder: string;
let store: ObjectStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-backup-files-'));
  store = openObjectStore(`file:${join(folder, 'backup')}`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('lines of a backup', () => {
  it('come back as they were written, though they hold what other readers end a line at, or are longer than a chunk', async () => {
    const lines = ['', '"\u2028 \u2029 \r \u0085"', 'é'.repeat(100_000), 'last'];
    const path = join(folder, 'lines');
    async function* given() {
      yield* lines;
    }
    expect(await writeLines(path, given())).toBe(lines.length);
    expect(await Array.fromAsync(readLines(path))).toEqual(lines);
    writeFileSync(path, 'a\nb');
    expect(await Array.fromAsync(readLines(path))).toEqual(['a', 'b']);
    writeFileSync(path, '');
    expect(await Array.fromAsync(readLines(path))).toEqual([]);
  });
});

it('a file is fetched as the manifest says it is, or it is damaged or missing', async () => {
  const bytes = Buffer.from('rows');
  await store.put('t', bytes);
  const file = { key: 't', bytes: bytes.length, sha256: sha256Hex(bytes) };
  const to = join(folder, 'fetched');
  await fetchChecked(store, file, to);
  expect(await hashFile(to)).toEqual({ bytes: 4, sha256: file.sha256 });
  await expect(fetchChecked(store, { ...file, sha256: sha256Hex('other') }, to)).rejects.toThrow(
    /is damaged: it has 4 bytes/,
  );
  await expect(fetchChecked(store, { ...file, key: 'u' }, to)).rejects.toThrow(/is missing/);
});

describe('a manifest', () => {
  const file = { key: 'k', bytes: 1, sha256: 'a'.repeat(64) };
  const whole = {
    format: FORMAT,
    headrace: '1',
    project: 'p',
    at: 'now',
    database: 'sqlite',
    migrations: [],
    tables: [{ ...file, name: 't', columns: [], rows: 0 }],
    objects: { ...file, count: 0, total: 0 },
    extras: [{ ...file, kind: 'prediction', name: 'n' }],
    missing: [],
  };
  const read = async (json: unknown): Promise<unknown> => {
    await store.put(MANIFEST, Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)));
    return readManifest(store, 'the place').catch(({ code }: { code: string }) => code);
  };

  it('is read where all of it is there, and is damaged without any of it', async () => {
    expect(await read(whole)).toEqual(whole);
    for (const name of Object.keys(whole))
      expect(await read({ ...whole, [name]: undefined }), name).toBe('HR_BACKUP_DAMAGED');
    for (const list of ['tables', 'extras'] as const)
      for (const bad of [null, { ...file, sha256: 'A'.repeat(64) }, { ...file, bytes: '1' }, { ...file, key: 1 }])
        expect(await read({ ...whole, [list]: [bad] })).toBe('HR_BACKUP_DAMAGED');
    for (const bad of ['', '{', 'null', '7', '[]']) expect(await read(bad), bad).toBe('HR_BACKUP_DAMAGED');
  });

  it('of a later version is told as such, and a place where a backup was begun is told from one where none was', async () => {
    expect(await read({ format: FORMAT + 1 })).toBe('HR_BACKUP_NEWER');
    expect(await read({ ...whole, format: FORMAT - 1 })).toBe('HR_BACKUP_DAMAGED');
    await store.remove(MANIFEST);
    await expect(readManifest(store, 'the place')).rejects.toThrow(/it has no manifest\.json/);
    await store.put(BEGUN, Buffer.from('{}'));
    await expect(readManifest(store, 'the place')).rejects.toThrow(/was begun there and is not finished/);
  });
});

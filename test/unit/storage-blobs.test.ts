// Objects by their keys, blobs by their content, and URLs as they may be shown.

import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/core/index.ts';
import { blobKey, getBlob, putBlob, putBlobFile, sizeOfBlob } from '../../src/storage/object-store/blobs.ts';
import { openFileObjectStore } from '../../src/storage/object-store/file/file-object-store.ts';
import { checkKey } from '../../src/storage/object-store/object-key.ts';
import { withoutPassword } from '../../src/storage/without-password.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'headrace-blobs-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('a blob', () => {
  const bytes = Buffer.from('some bytes');
  const hash = sha256Hex(bytes);
  const pathOf = (): string => join(root, 'objects', blobKey(hash));
  const puts = {
    'from memory': (store: ReturnType<typeof openFileObjectStore>) => putBlob(store, bytes),
    'from a file': (store: ReturnType<typeof openFileObjectStore>) => {
      writeFileSync(join(root, 'file'), bytes);
      return putBlobFile(store, join(root, 'file'));
    },
  };

  it.each(Object.entries(puts))(
    'that is put again %s is mended where it is damaged, and left as it is where not',
    async (_, put) => {
      const store = openFileObjectStore(join(root, 'objects'));
      expect(await put(store)).toBe(hash);
      writeFileSync(pathOf(), 'damaged');
      await expect(getBlob(store, hash)).rejects.toMatchObject({ code: 'HR_ARTIFACT_UNREADABLE' });
      await put(store);
      expect(Buffer.from(await getBlob(store, hash)).equals(bytes)).toBe(true);
      const [{ etag } = { etag: '' }] = await Array.fromAsync(store.list('blobs/'));
      await put(store);
      expect((await Array.fromAsync(store.list('blobs/')))[0]?.etag).toBe(etag);
      expect(await sizeOfBlob(store, hash)).toBe(bytes.length);
    },
  );

  it.each(Object.entries(puts))(
    'that is put again %s is written anew where it is old: it may be about to be cleared away',
    async (_, put) => {
      const store = openFileObjectStore(join(root, 'objects'));
      await put(store);
      const elevenMinutesAgo = new Date(Date.now() - 11 * 60_000);
      utimesSync(pathOf(), elevenMinutesAgo, elevenMinutesAgo);
      await put(store);
      const [info] = await Array.fromAsync(store.list('blobs/'));
      expect(info?.modifiedMicros).toBeGreaterThan(elevenMinutesAgo.getTime() * 1000 + 60_000_000);
      expect(readFileSync(pathOf()).equals(bytes)).toBe(true);
    },
  );

  it('has the name that its hash is, and no other', async () => {
    const store = openFileObjectStore(join(root, 'objects'));
    for (const bad of ['', 'x'.repeat(64), hash.slice(1), `${hash}0`, hash.toUpperCase()]) {
      await expect(getBlob(store, bad)).rejects.toMatchObject({ code: 'HR_INVALID' });
      await expect(sizeOfBlob(store, bad)).rejects.toMatchObject({ code: 'HR_INVALID' });
    }
    await expect(getBlob(store, hash)).rejects.toMatchObject({ code: 'HR_ARTIFACT_UNREADABLE' });
  });
});

describe('the key of an object', () => {
  it.each(['a', 'a/b', 'a b', '..a/b.', 'é/ü', 'x'.repeat(1024)])('may be %j', (key) => {
    expect(checkKey(key)).toBe(key);
  });

  it.each(['', '/a', 'a/', 'a//b', '.', 'a/./b', '../a', 'a/..', 'a\\b', 'a\nb', '.partial/x', 'é'.repeat(513)])(
    'is never %j',
    (key) => {
      expect(() => checkKey(key)).toThrow(/relative path/);
    },
  );
});

it.each([
  ['postgres://ann:secret@host/db', 'postgres://ann:***@host/db'],
  ['postgres://ann@host/db', 'postgres://ann@host/db'],
  ['postgres://:secret@host/db', 'postgres://:***@host/db'],
  ['postgres://host/db?password=secret#x', 'postgres://host/db?***'],
  ['postgres://host/db#secret', 'postgres://host/db#***'],
  // Which of the two is the password, no one can tell.
  ['postgres://ann:sec/ret@host/db', 'postgres://***'],
  ['postgres://ann:se@ret@host/db', 'postgres://ann:***@host/db'],
  ['secret', '***'],
  ['', '***'],
])('%s is shown as %s', (url, shown) => {
  expect(withoutPassword(url)).toBe(shown);
});

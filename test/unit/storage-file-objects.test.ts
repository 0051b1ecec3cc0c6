// The object store in a folder, where the disk fails.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openFileObjectStore, PARTIAL } from '../../src/storage/object-store/file/file-object-store.ts';
import { onFullDisk } from '../support/disk-steps.ts';

it('says that the disk is full, keeps the object that was there, and leaves nothing half written', async () => {
  const root = mkdtempSync(join(tmpdir(), 'headrace-objects-'));
  try {
    const store = openFileObjectStore(root);
    await store.put('a/b', Buffer.from('before'));
    const full = { code: 'HR_STORAGE_FULL' };
    const after = Buffer.from('after');
    await expect(onFullDisk(() => store.put('a/b', after))).rejects.toMatchObject(full);
    await expect(onFullDisk(() => store.put('a/c', after, { ifAbsent: true }))).rejects.toMatchObject(full);
    expect(Buffer.from((await store.get('a/b')) ?? []).toString()).toBe('before');
    expect(readdirSync(join(root, 'a'))).toEqual(['b']);
    expect(readdirSync(join(root, PARTIAL))).toEqual([]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { sha256Hex } from '../../src/core/index.ts';
import { getBlob, type ObjectStore, openObjectStore, putBlob, putBlobFile } from '../../src/storage/index.ts';
import { sharedS3 } from '../support/shared-servers.ts';
import { skipBecause } from '../support/skips.ts';
import { findVersitygw, WITHOUT_VERSITYGW } from '../support/versitygw-program.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined): string | undefined => content && new TextDecoder().decode(content);

const folder = mkdtempSync(join(tmpdir(), 'headrace-objects-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let roots = 0;
const openOnFiles = async () => openObjectStore(`file:${join(folder, `store-${++roots}`)}`);
const shared = sharedS3('object store contract');
const openOnS3 = async () => {
  const server = (await shared) ?? expect.fail('it is not there');
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const url = `s3://${await server.newBucket()}/some/prefix?endpoint=${encodeURIComponent(endpoint)}`;
  return openObjectStore(url, { accessKeyId, secretAccessKey });
};
const STORES: [string, () => Promise<ObjectStore>][] = [['files', openOnFiles]];
if (shared !== undefined) STORES.push(['S3', openOnS3]);

describe.each(STORES)('an object store on %s', (_name, open) => {
  let store: ObjectStore;
  beforeEach(async () => {
    store = await open();
  });
  const get = async (key: string) => text(await store.get(key));
  const keys = async (prefix: string) => (await Array.fromAsync(store.list(prefix))).map(({ key }) => key);

  it('gives back what was put, and the last of two', async () => {
    expect(await store.get('a/b')).toBeUndefined();
    for (const content of ['one', 'two']) expect(await store.put('a/b', bytes(content))).toBe(true);
    expect(await get('a/b')).toBe('two');
    await store.put('empty', new Uint8Array());
    expect((await store.get('empty'))?.length).toBe(0);
  });

  it('writes only where nothing is when told so', async () => {
    expect(await store.put('a', bytes('one'), { ifAbsent: true })).toBe(true);
    expect(await store.put('a', bytes('two'), { ifAbsent: true })).toBe(false);
    expect(await get('a')).toBe('one');
  });

  it('moves files in and out', async () => {
    const [from, to, none] = ['from', 'to', 'none'].map((name) => join(folder, name)) as [string, string, string];
    const content = Buffer.alloc(3_000_000, 'headrace');
    writeFileSync(from, content);
    expect(await store.putFile('big', from)).toBe(true);
    expect(await store.putFile('big', from, { ifAbsent: true })).toBe(false);
    expect(await store.getFile('big', to)).toBe(true);
    expect(readFileSync(to).equals(content)).toBe(true);
    expect([await store.getFile('none', none), existsSync(none)]).toEqual([false, false]);
  });

  it('lists by prefix in the order of keys, with sizes and ETags that change with the content', async () => {
    for (const key of ['runs/2/a', 'runs/1/b', 'runs/1/a', 'runs-old', 'other']) await store.put(key, bytes(key));
    expect(await keys('runs/')).toEqual(['runs/1/a', 'runs/1/b', 'runs/2/a']);
    expect(await keys('runs/1')).toEqual(['runs/1/a', 'runs/1/b']);
    expect(await keys('run')).toEqual(['runs-old', 'runs/1/a', 'runs/1/b', 'runs/2/a']);
    expect(await keys('nothing/')).toEqual([]);
    expect(await keys('')).toHaveLength(5);
    const other = async () => (await Array.fromAsync(store.list('other')))[0];
    const before = await other();
    expect(before?.size).toBe(5);
    await store.put('other', bytes('changed'));
    expect((await other())?.etag).not.toBe(before?.etag);
  });

  it('removes, and takes removing nothing', async () => {
    await store.put('a', bytes('one'));
    for (let time = 0; time < 2; time++) await store.remove('a');
    expect(await store.get('a')).toBeUndefined();
  });

  it('refuses keys that climb out of the store or hide in it', async () => {
    for (const key of ['', '/etc/passwd', '../a', 'a/../../b', 'a//b', 'a/', './a', 'a\\b', 'a\0b', '.partial/x']) {
      await expect(store.put(key, bytes('x'))).rejects.toMatchObject({ code: 'HR_INVALID' });
      await expect(store.get(key)).rejects.toMatchObject({ code: 'HR_INVALID' });
    }
  });

  it('holds blobs by their content, once, and checks them when read', async () => {
    const hash = sha256Hex('model');
    const file = join(folder, 'model');
    writeFileSync(file, 'model');
    const spoil = (content: string) => store.put(`blobs/${hash.slice(0, 2)}/${hash}`, bytes(content));
    const blob = async () => text(await getBlob(store, hash));
    for (let time = 0; time < 2; time++) expect(await putBlob(store, bytes('model'))).toBe(hash);
    expect(await putBlobFile(store, file)).toBe(hash);
    expect(await blob()).toBe('model');
    await spoil('mod');
    await expect(blob()).rejects.toMatchObject({ code: 'HR_ARTIFACT_UNREADABLE' });
    await putBlob(store, bytes('model'));
    expect(await blob()).toBe('model');
    await spoil('lemod');
    await putBlobFile(store, file);
    expect(await blob()).toBe('model');
    await expect(getBlob(store, sha256Hex('none'))).rejects.toMatchObject({ code: 'HR_ARTIFACT_UNREADABLE' });
    await expect(getBlob(store, '../../etc')).rejects.toMatchObject({ code: 'HR_INVALID' });
  });
});

// moto lets two racing writers win.
const RACED = STORES.filter(([name]) => name === 'files' || findVersitygw() !== undefined);
if (RACED.length === 1) skipBecause(`object store contract, racing writers on S3: ${WITHOUT_VERSITYGW}`);

it.each(RACED)('on %s exactly one of many racing writers creates a key', async (_name, open) => {
  const store = await open();
  const writers = Array.from({ length: 16 }, (_, at) => bytes(`writer ${at}`));
  const results = await Promise.all(writers.map((content) => store.put('race', content, { ifAbsent: true })));
  expect(results.filter(Boolean)).toHaveLength(1);
  expect(text(await store.get('race'))).toBe(`writer ${results.indexOf(true)}`);
});

describe('an object store on files', () => {
  it('leaves no partial file behind, whether a write ends well or not', async () => {
    const root = join(folder, 'clean');
    const store = openObjectStore(`file:${root}`);
    await store.put('a', bytes('one'));
    await expect(store.putFile('b', join(folder, 'does-not-exist'))).rejects.toThrow();
    await expect(store.put('a/b', bytes('under an object'))).rejects.toMatchObject({ code: 'HR_INVALID' });
    expect(readdirSync(join(root, '.partial'))).toEqual([]);
    expect(readdirSync(root).sort()).toEqual(['.partial', 'a']);
  });

  it('says that the disk is full, and keeps what was there', async (context) => {
    const mount = join(folder, 'small-disk');
    mkdirSync(mount);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mount], { stdio: 'ignore' });
    } catch {
      skipBecause('the full disk of an object store: a small disk cannot be mounted here');
      context.skip();
    }
    onTestFinished(() => void execFileSync('umount', [mount]));
    const store = openObjectStore(`file:${mount}`);
    await store.put('kept', bytes('one'));
    for (const key of ['big', 'kept'])
      await expect(store.put(key, new Uint8Array(1_000_000))).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    expect(text(await store.get('kept'))).toBe('one');
    expect(await store.get('big')).toBeUndefined();
    expect(readdirSync(join(mount, '.partial'))).toEqual([]);
  });
});

describe('opening an object store', () => {
  it('names the schemes it knows when the URL has another', () => {
    expect(() => openObjectStore('ftp://root:hunter2@host/x')).toThrow(
      /^((?!hunter2).)*file:PATH.*s3:((?!hunter2).)*$/s,
    );
  });

  it('says that S3 does not answer', async () => {
    const options = { accessKeyId: 'a', secretAccessKey: 'b' };
    const store = openObjectStore('s3://bucket?endpoint=http://127.0.0.1:1', options);
    await expect(store.get('a')).rejects.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
  });
});

// Objects by their keys, blobs by their content, URLs as they may be shown; a disk that is full, and S3 without credentials.

import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { sha256Hex } from '../../src/core/index.ts';
import { type ObjectStore, openBuckets, openObjectStore } from '../../src/storage/index.ts';
import { blobKey, getBlob, putBlob, putBlobFile, sizeOfBlob } from '../../src/storage/object-store/blobs.ts';
import { openFileObjectStore, PARTIAL } from '../../src/storage/object-store/file/file-object-store.ts';
import { checkKey } from '../../src/storage/object-store/object-key.ts';
import { catalogued } from '../../src/storage/s3/s3-errors.ts';
import { withoutPassword } from '../../src/storage/without-password.ts';
import { onFullDisk } from '../support/disk-steps.ts';
import { refused } from '../support/refused.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'headrace-blobs-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('a blob', () => {
  const bytes = Buffer.from('some bytes');
  const hash = sha256Hex(bytes);
  const pathOf = (): string => join(root, 'objects', blobKey(hash));
  const puts: readonly (readonly [string, (store: ObjectStore) => Promise<string>])[] = [
    ['from memory', (store) => putBlob(store, bytes)],
    [
      'from a file',
      (store) => {
        writeFileSync(join(root, 'file'), bytes);
        return putBlobFile(store, join(root, 'file'));
      },
    ],
  ];

  it.each(puts)(
    'that is put again %s is mended where it is damaged, left where not, written anew where old',
    async (_, put) => {
      const store = openFileObjectStore(join(root, 'objects'));
      const info = async () => (await Array.fromAsync(store.list('blobs/')))[0];
      expect(await put(store)).toBe(hash);
      writeFileSync(pathOf(), 'damaged');
      await refused(getBlob(store, hash), 'HR_ARTIFACT_UNREADABLE');
      await put(store);
      expect(Buffer.from(await getBlob(store, hash)).equals(bytes)).toBe(true);
      const etag = (await info())?.etag;
      await put(store);
      expect((await info())?.etag).toBe(etag);
      expect(await sizeOfBlob(store, hash)).toBe(bytes.length);
      // It may be about to be cleared away.
      const elevenMinutesAgo = new Date(Date.now() - 11 * 60_000);
      utimesSync(pathOf(), elevenMinutesAgo, elevenMinutesAgo);
      await put(store);
      expect((await info())?.modifiedMicros).toBeGreaterThan(elevenMinutesAgo.getTime() * 1000 + 60_000_000);
      expect(readFileSync(pathOf()).equals(bytes)).toBe(true);
    },
  );

  it('has the name that its hash is, and no other', async () => {
    const store = openFileObjectStore(join(root, 'objects'));
    for (const bad of ['', 'x'.repeat(64), hash.slice(1), `${hash}0`, hash.toUpperCase()]) {
      await refused(getBlob(store, bad), 'HR_INVALID');
      await refused(sizeOfBlob(store, bad), 'HR_INVALID');
    }
    await refused(getBlob(store, hash), 'HR_ARTIFACT_UNREADABLE');
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

it('says that the disk is full, keeps the object that was there, and leaves nothing half written', async () => {
  const store = openFileObjectStore(root);
  await store.put('a/b', Buffer.from('before'));
  const after = Buffer.from('after');
  await refused(
    onFullDisk(() => store.put('a/b', after)),
    'HR_STORAGE_FULL',
  );
  await refused(
    onFullDisk(() => store.put('a/c', after, { ifAbsent: true })),
    'HR_STORAGE_FULL',
  );
  expect(Buffer.from((await store.get('a/b')) ?? []).toString()).toBe('before');
  expect(readdirSync(join(root, 'a'))).toEqual(['b']);
  expect(readdirSync(join(root, PARTIAL))).toEqual([]);
});

it.each([
  ['hangs up', undefined],
  ['answers 503', 503],
])('puts a file in S3 three times at most where a server %s', async (_, status) => {
  let [puts, failing] = [0, 0];
  const server = createServer((request, response) => {
    puts++;
    request.resume().on('end', () => {
      if (puts > failing) response.end();
      else if (status === undefined) request.socket.destroy();
      else response.writeHead(status).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  const { port } = server.address() as AddressInfo;
  const store = openObjectStore(`s3://bucket?endpoint=http://127.0.0.1:${port}`, {
    accessKeyId: 'a',
    secretAccessKey: 'b',
  });
  writeFileSync(join(root, 'file'), 'some bytes');
  const put = (): Promise<boolean> => store.putFile('a', join(root, 'file'));
  failing = 2;
  expect(await put()).toBe(true);
  expect(puts).toBe(3);
  [puts, failing] = [0, Infinity];
  await refused(put(), 'HR_STORAGE_UNAVAILABLE');
  expect(puts).toBe(3);
});

it.each([
  [401, 'HR_CONFIG', /^S3 refuses the credentials for bucket "lake": no$/],
  [403, 'HR_CONFIG', /^S3 refuses the credentials for bucket "lake": no$/],
  [500, 'HR_STORAGE_UNAVAILABLE', /^S3 bucket "lake" does not answer: no$/],
  [507, 'HR_STORAGE_FULL', /^S3 has no room left in bucket "lake"$/],
])('an answer of S3 with status %i is %s', async (httpStatusCode, code, says) => {
  const error = catalogued({ name: 'Refused', message: 'no', $metadata: { httpStatusCode } }, 'lake');
  await refused(Promise.reject(error), code, says);
});

afterEach(() => vi.unstubAllEnvs());

it('says that there are no credentials for S3, and which would be taken', async () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/credentials');
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/config');
  vi.stubEnv('AWS_REGION', 'us-east-1');
  const buckets = openBuckets({ endpoint: 'http://127.0.0.1:9' });
  await refused(
    buckets.look('lake', 'orders.parquet'),
    'HR_CONFIG',
    /^there are no credentials for S3 \(.+\); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/,
  );
});

// What an attempt finds: the code as it was placed, whatever those before it did there, and the files of its needs.

import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AttemptFolder, openAttemptFolders } from '../../src/orchestrator/step/attempt-folders.ts';
import { type FileCache, openFileCache } from '../../src/orchestrator/step/file-cache.ts';
import { prepareInput } from '../../src/orchestrator/step/input.ts';
import { openObjectStore, putBlob } from '../../src/storage/index.ts';
import { orderOf } from '../support/step-order.ts';

let directory = '';
let sha256 = '';
let cache: FileCache;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headrace-folders-'));
  const objects = openObjectStore(`file:${join(directory, 'artifacts')}`);
  sha256 = await putBlob(objects, Buffer.from('as placed'));
  cache = openFileCache(objects, join(directory, 'cache'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it.each<[string, boolean, (folder: AttemptFolder) => void]>([
  ['nothing', true, () => {}],
  ['a result alone', true, ({ output }) => writeFileSync(join(output, 'result.json'), '1')],
  ['a file beside its result', false, ({ output }) => writeFileSync(join(output, 'model'), 'x')],
  ['a file beside the code', false, ({ code }) => writeFileSync(join(code, 'left.txt'), 'x')],
  ['a change of the code', false, ({ code }) => appendFileSync(join(code, 'go.py'), '# changed')],
])('where one left %s the next finds nothing of it; the folder is the same: %j', async (_, isSame, work) => {
  const folders = openAttemptFolders(mkdtempSync(join(directory, 'scratch-')), cache);
  const take = async (input: string) => {
    const folder = folders.take(input, [{ path: 'go.py', hash: sha256 }]);
    await folders.placeCode(folder);
    return folder;
  };
  const first = await take('the longer input');
  work(first);
  folders.give(first);
  const { code, output, inputFile } = await take('input');
  expect(code === first.code).toBe(isSame);
  expect([readdirSync(code), readFileSync(join(code, 'go.py'), 'utf8')]).toEqual([['go.py'], 'as placed']);
  expect([readdirSync(output), readFileSync(inputFile, 'utf8')]).toEqual([[], 'input']);
});

it('steps that need a training set read one file, which ends as it did, wherever each has its folder', async () => {
  const needs = { data: { rows: 2, sha256, uri: `blob:${sha256}`, path: '/elsewhere/set.parquet' } };
  const order = orderOf({ kind: 'shell', command: 'true' }, { needs });
  const paths = ['one', 'other'].map((name) => join(directory, name, `${sha256}.parquet`));
  for (const path of paths) {
    const { shared } = await prepareInput(order, cache, join(path, '..'));
    expect(JSON.parse(`{${shared}}`)).toMatchObject({ needs: { data: { rows: 2, path } } });
  }
  const [one, other] = paths.map((path) => statSync(path).ino);
  expect(one).toBe(other);
  expect(readFileSync(paths[0] ?? '', 'utf8')).toBe('as placed');
});

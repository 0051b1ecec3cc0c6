// A file that a user names to be written: whoever can't have it there is told why and what to do, and at once.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkOutputFile, writeOutputFile } from '../../src/cli/output-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-output-'));
  writeFileSync(join(folder, 'file'), 'as it was');
  mkdirSync(join(folder, 'folder'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const of = (...parts: string[]): string => join(folder, ...parts);

it('may be new, or one that is there, which stays as it is until it is written', async () => {
  await checkOutputFile(of('new'));
  await checkOutputFile(of('file'));
  expect(readFileSync(of('file'), 'utf8')).toBe('as it was');
  await writeOutputFile(of('new'), 'written');
  expect(readFileSync(of('new'), 'utf8')).toBe('written');
});

it.each([
  ['where there is no folder', ['none', 'x'], 'there is no folder', 'Make it, or name a file elsewhere.'],
  ['under a file', ['file', 'x'], 'is a file, or lies under one', 'Name a file in a folder.'],
  ['as a folder', ['folder'], 'it is a folder', 'Name a file in it.'],
])('is refused %s', async (_, parts, why, what) => {
  const path = of(...parts);
  for (const ask of [() => checkOutputFile(path), () => writeOutputFile(path, 'written')]) {
    const error = await ask().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'HR_USAGE', message: expect.stringContaining(`${path} cannot be written: `) });
    expect(String(error)).toContain(why);
    expect(String(error)).toContain(what);
  }
});

it('may lie in folders that are made for it, but not under a file', async () => {
  await checkOutputFile(of('none', 'nor', 'x'), { makesFolders: true });
  await expect(checkOutputFile(of('file', 'nor', 'x'), { makesFolders: true })).rejects.toThrow('is a file');
});

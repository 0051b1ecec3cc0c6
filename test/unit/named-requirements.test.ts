// What files of pip's requirements take in, in every way that pip lets it be written.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { namedRequirements } from '../../src/definitions/index.ts';
import { readRequirements } from '../../src/orchestrator/step/read-requirements.ts';
import { folderOfTest } from '../support/new-folder.ts';

describe('what a requirements file takes in', () => {
  it.each([
    ['-r base.txt', ['base.txt']],
    ['-rbase.txt', ['base.txt']],
    ['  --requirement base.txt  # what all need', ['base.txt']],
    ['--requirement=../base.txt\r\n-c pins.txt\r\n', ['../base.txt', 'pins.txt']],
    ['--constraint=pins.txt', ['pins.txt']],
    ['-r "two words.txt"', ['two words.txt']],
    ['-r \\\n  base.txt', ['base.txt']],
    ['numpy==2.0 # -r base.txt\n# -r other.txt', []],
    ['-c https://example.com/pins.txt\n-r ${WHERE}/base.txt', []],
    ['--requirements-of-nobody x\n-e ./own\nrequests -rx', []],
  ])('of %j is %j', (text, expected) => {
    expect(namedRequirements(text)).toEqual(expected);
  });

  it('is read from the folder of the file that names it, each once', () => {
    const folder = folderOfTest();
    mkdirSync(join(folder, 'base'));
    const texts = {
      'requirements.txt': '-r base/all.txt\n-c base/pins.txt\n',
      'base/all.txt': 'numpy\n-c pins.txt\n-r ../requirements.txt\n',
      'base/pins.txt': 'numpy==2.0\n',
    };
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
    expect(readRequirements(join(folder, 'requirements.txt'))).toEqual(Object.values(texts));
    writeFileSync(join(folder, 'base/all.txt'), '-r none.txt\n');
    expect(() => readRequirements(join(folder, 'requirements.txt'))).toThrow(
      /none\.txt, which .*all\.txt takes in, cannot be read/,
    );
  });
});

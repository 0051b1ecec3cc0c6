// What `npm test` and its like, and `npm run mutate`, make of their options.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readMutateOptions } from '../../scripts/test/read-mutate-options.ts';
import { readOptions } from '../../scripts/test/read-options.ts';
import { folderOfFile } from '../support/new-folder.ts';

const read = (line: string) => readOptions(line.split(' ').filter(Boolean));

describe('the options of npm test', () => {
  it.each([
    ['--afected', 'There is no option --afected. Did you mean "affected"?'],
    ['-x', 'There is no option -x.'],
    ['--affected=yes', '--affected takes no value, but got "yes"'],
    ['--shard', '--shard needs a value: npm test -- --shard 2/4'],
    ['--affected --since --all', '--since needs a value'],
    ['-t', "-t needs a value: npm test -- -t 'leap year'"],
    ['-t (', '-t got "(", which is no regular expression'],
    ['--shard 9/4', '--shard got "9/4", but takes N/M'],
    ['--shard 0/4', '--shard got "0/4"'],
    ['--shard x', '--shard got "x"'],
    ['--bail 0', '--bail got "0"'],
    ['--affected --since nosuchref', '--since got "nosuchref", which is no commit'],
    ['--since HEAD', '--since needs --affected: npm test -- --affected --since main'],
    ['--all', '--all needs --affected'],
    ['--smoke', '--smoke needs test:interop'],
    ['--full --heavy', 'A run is of one tier, but got --full and --heavy'],
    ['--affected --record', '--affected and --record don’t go together'],
    ['--affected --bring-only', '--affected and --bring-only don’t go together'],
    ['--affected --shard 1/2', '--affected and --shard don’t go together'],
    ['--affected test/unit', '--affected chooses the files itself, but got "test/unit"'],
    ['--record test/unit', '--record needs a whole run'],
    ['--full --record', '--record needs a whole run'],
    ['test/unit/nosuch.test.ts', 'No test file has "test/unit/nosuch.test.ts" in its path'],
    ['test/heavy', '"test/heavy" is of another tier: npm run test:heavy -- test/heavy'],
  ])('refuses %s in one line', (line, words) => {
    const outcome = read(line);
    expect(outcome).toHaveProperty('problem', expect.stringContaining(words));
    expect(JSON.stringify(outcome)).not.toContain('\\n');
  });

  it.each(['-h', '--help', '--affected --record -h'])('shows help for %s', (line) => {
    expect(read(line)).toBe('help');
  });

  it.each([
    ['', { tier: 'quick', isWhole: true, since: 'HEAD', words: [] }],
    ['--affected --all -t year', { isAffected: true, isWithoutLimit: true, isWhole: false, testNamePattern: 'year' }],
    ['--full --shard 2/4 --bail=1', { tier: 'full', isWhole: false, words: ['--shard=2/4', '--bail=1'] }],
    ['--interop --smoke', { tier: 'smoke' }],
    ['./test/unit/core-time.test.ts', { tier: 'quick', files: ['test/unit/core-time.test.ts'], isWhole: false }],
    ['--record', { isRecorded: true, isWhole: true }],
    ['test/e2e/backup.full.test.ts', { tier: 'full' }],
  ])('takes "%s"', (line, options) => {
    expect(read(line)).toMatchObject({ options });
  });
});

describe('the options of npm run mutate', () => {
  const project = folderOfFile();
  for (const folder of ['src/core/codecs', 'src/online']) mkdirSync(join(project, folder), { recursive: true });
  const fault = { id: 'M1', file: 'src/core/time.ts', find: 'a', replace: 'b' };
  for (const [name, text] of Object.entries({
    'src/core/time.ts': 'a',
    'good.json': JSON.stringify([fault]),
    'broken.json': '[{',
    'object.json': '{}',
    'empty.json': '[]',
    'null.json': '[null]',
    'short.json': JSON.stringify([fault, { ...fault, find: 1 }]),
    'lost.json': JSON.stringify([{ ...fault, file: 'src/core/tme.ts' }]),
    'folder.json': JSON.stringify([{ ...fault, file: 'src/core' }]),
  }))
    writeFileSync(join(project, name), text);
  const readHere = (line: string) => readMutateOptions(line.split(' ').filter(Boolean), project);

  it.each([
    ['--smaple 4', 'There is no option --smaple. Did you mean "sample"? `npm run mutate -- --help`'],
    ['--sample', '--sample needs a value: npm run mutate -- --sample 40 src/core'],
    ['--sample 0', '--sample got "0", but takes a whole number from 1 to 1000000: npm run mutate -- --sample 40'],
    ['--sample=-3', '--sample got "-3", but takes a whole number'],
    ['--seed 1.5', '--seed got "1.5", but takes a whole number'],
    ['--limit 5m', '--limit got "5m", but takes a whole number'],
    ['--limit 9999999', '--limit got "9999999", but takes a whole number'],
    [
      'src/cor',
      'There is no folder "src/cor" in src. Did you mean "src/core"? Give folders of sources: npm run mutate',
    ],
    ['src/core/time.ts', 'There is no folder "src/core/time.ts" in src.'],
    ['..', 'There is no folder ".." in src.'],
    ['--faults none.json', '--faults got "none.json", which can\'t be read (ENOENT'],
    ['--faults broken.json', '--faults got "broken.json", which can\'t be read (Expected'],
    ['--faults object.json', 'which holds no array with a fault, but takes a JSON file of [{ '],
    ['--faults empty.json', 'which holds no array with a fault'],
    ['--faults null.json', 'whose fault 1 has no text "id"'],
    ['--faults short.json', 'whose fault 2 has no text "find"'],
    ['--faults lost.json', 'whose fault M1 is in "src/core/tme.ts", but there is no such file here'],
    ['--faults folder.json', 'whose fault M1 is in "src/core", but there is no such file here'],
    ['--faults good.json src/core', '--faults names the files itself, but got "src/core"'],
  ])('refuses %s in one line', (line, words) => {
    const outcome = readHere(line);
    expect(outcome).toHaveProperty('problem', expect.stringContaining(words));
    expect(outcome).toHaveProperty('problem', expect.not.stringContaining('\n'));
  });

  it.each([
    ['', { folders: ['src/core', 'src/online'], sample: 40, seed: 1, limitMs: 300_000, faults: undefined }],
    ['./src/core/ src/core/codecs --sample 2', { folders: ['src/core', 'src/core/codecs'], sample: 2 }],
    ['--faults good.json --limit 200', { faults: [fault], limitMs: 200_000 }],
  ])('takes "%s"', (line, options) => {
    expect(readHere(line)).toMatchObject({ options });
  });

  it('shows help', () => {
    expect(readHere('-h')).toBe('help');
  });
});

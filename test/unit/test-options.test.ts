// What `npm test` and its like make of their options.

import { describe, expect, it } from 'vitest';
import { readOptions } from '../../scripts/test/read-options.ts';

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

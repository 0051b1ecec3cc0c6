// One setting's value, as a file or the environment has it, at its bounds.

import { describe, expect, it } from 'vitest';
import { describeSetting, parseSetting } from '../../src/app/parse-setting.ts';
import type { Setting } from '../../src/app/settings/setting.ts';

// As much of a setting as is looked at.
const parse = (setting: object, raw: unknown): unknown => {
  const parsed = parseSetting(setting as Setting, raw, '/project');
  return 'value' in parsed ? parsed.value : 'refused';
};

describe('a value', () => {
  it.each<[string, object, readonly (readonly [raw: unknown, value: unknown])[]]>([
    [
      'that is a whole number',
      { kind: 'integer', min: 2, max: 9 },
      [
        [2, 2],
        ['9', 9],
        [1, 'refused'],
        [10, 'refused'],
        [2.5, 'refused'],
        ['2.5', 'refused'],
        ['', 'refused'],
        [true, 'refused'],
      ],
    ],
    [
      'that is a whole number of any size',
      { kind: 'integer' },
      [
        [0, 0],
        [-1, 'refused'],
        [2 ** 53, 'refused'],
        [2 ** 53 - 1, 2 ** 53 - 1],
      ],
    ],
    [
      'that is a ratio',
      { kind: 'ratio' },
      [
        [0, 0],
        [1, 1],
        ['.5', 0.5],
        ['0.5', 0.5],
        [1.01, 'refused'],
        [-0.01, 'refused'],
        ['1.', 'refused'],
        [NaN, 'refused'],
      ],
    ],
    [
      'that is true or false',
      { kind: 'boolean' },
      [
        [true, true],
        ['true', true],
        ['1', true],
        [false, false],
        ['false', false],
        ['0', false],
        [1, 'refused'],
        ['yes', 'refused'],
      ],
    ],
    [
      'that is a size',
      { kind: 'size' },
      [
        [7, 7],
        ['7', 7],
        ['2KB', 2000],
        ['2 kib', 2048],
        ['1.5MiB', 1_572_864],
        ['1TiB', 2 ** 40],
        ['-1', 'refused'],
        ['1PB', 'refused'],
        ['1iB', 'refused'],
        [true, 'refused'],
      ],
    ],
    [
      'that is a duration',
      { kind: 'duration', min: 1_000_000 },
      [
        ['1s', 1_000_000],
        ['999ms', 'refused'],
        ['', 'refused'],
        [1_000_000, 'refused'],
      ],
    ],
    [
      'that is one of a few',
      { kind: 'choice', choices: ['a', 'b'] },
      [
        ['a', 'a'],
        ['c', 'refused'],
        [' ', 'refused'],
      ],
    ],
    [
      'that is a path',
      { kind: 'path' },
      [
        ['x/y', '/project/x/y'],
        ['/x', '/x'],
        [' ', 'refused'],
        [7, 'refused'],
      ],
    ],
    [
      'that is a text',
      { kind: 'text' },
      [
        ['x', 'x'],
        [' ', 'refused'],
        [7, 'refused'],
      ],
    ],
    [
      'that counts by name',
      { kind: 'counts' },
      [
        [{ gpu: 1 }, { gpu: 1 }],
        ['gpu = 2, warehouse=1000000', { gpu: 2, warehouse: 1_000_000 }],
        [{}, {}],
        ...[
          { gpu: 0 },
          { gpu: 1_000_001 },
          { gpu: 1.5 },
          { '1gpu': 1 },
          ['gpu'],
          null,
          'gpu',
          'gpu=1,gpu=2',
          'gpu=1,',
        ].map((raw) => [raw, 'refused'] as const),
      ],
    ],
    [
      'that is the URL of a store',
      { kind: 'url', schemes: ['sqlite', 'postgres'] },
      [
        ['sqlite:a.db', 'sqlite:/project/a.db'],
        ['sqlite:///a.db', 'sqlite:/a.db'],
        ['sqlite::memory:', 'sqlite::memory:'],
        ['postgres://u:p@h/d', 'postgres://u:p@h/d'],
        ['sqlite:', 'refused'],
        ['mysql://h/d', 'refused'],
        ['a.db', 'refused'],
        [' ', 'refused'],
      ],
    ],
  ])('%s', (_, setting, table) => {
    for (const [raw, value] of table) expect(parse(setting, raw), JSON.stringify(raw)).toEqual(value);
  });
});

it('a URL that was refused is shown by its scheme alone: it may hold a password', () => {
  const url = { kind: 'url' } as Setting;
  expect(describeSetting(url, 'mysql://ann:secret@h')).toBe('a url that starts with "mysql:"');
  expect(describeSetting(url, 'ann:secret@h')).toBe('a text that is none');
  expect(describeSetting({ kind: 'text' } as Setting, 'x')).toContain('x');
});

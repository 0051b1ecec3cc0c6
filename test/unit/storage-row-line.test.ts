// A row of a dump on a line: what comes back is what was written, and a damaged line is refused.

import { describe, expect, it } from 'vitest';
import { fromLine, toLine } from '../../src/storage/dump/row-line.ts';
import { refused } from '../support/refused.ts';

describe('a row of a dump', () => {
  it.each([
    ['a fraction', 1.5, '[1.5]'],
    ['a whole number past 2^53', 9_007_199_254_740_993n, '[9007199254740993]'],
    ['a text', 'a "b"', '["a \\"b\\""]'],
    ['null', null, '[null]'],
    ['bytes', Buffer.from([0, 255]), '[{"bytes":"AP8="}]'],
    ['NaN', Number.NaN, '[{"number":"NaN"}]'],
    ['Infinity', Number.POSITIVE_INFINITY, '[{"number":"Infinity"}]'],
    ['-Infinity', Number.NEGATIVE_INFINITY, '[{"number":"-Infinity"}]'],
  ])('holds %s', (_, cell, line) => {
    expect(toLine([cell])).toBe(line);
    expect(fromLine(line, 1)).toEqual([cell]);
  });

  it('holds null where there is no value', () => {
    expect(toLine([undefined])).toBe('[null]');
  });

  it.each([
    ['no JSON', '[1', /no JSON/],
    ['no list', '{}', /does not have its 1 columns/],
    ['a column too few', '[]', /does not have its 1 columns/],
    ['a column too many', '[1,2]', /does not have its 1 columns/],
    ['a value that no column has', '[{"other":1}]', /holds a value that none has/],
    ['true', '[true]', /holds a value that none has/],
  ])('that is %s is damaged', async (_, line, message) => {
    await refused(
      Promise.resolve(line).then((text) => fromLine(text, 1)),
      'HR_BACKUP_DAMAGED',
      message,
    );
  });
});

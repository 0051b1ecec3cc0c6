// What tells the rows of a push that is sent again.

import { expect, it } from 'vitest';
import { parseJson } from '../../src/core/index.ts';
import { hashOf } from '../../src/ingestion/repeat.ts';

it('refuses a member that is nested beyond all use, and names it', () => {
  const nested = (depth: number): object => ({ more: parseJson('['.repeat(depth) + ']'.repeat(depth)) });
  expect(hashOf([nested(100)])).not.toBe(hashOf([nested(99)]));
  for (const depth of [101, 8000, 200_000])
    expect(() => hashOf([{}, nested(depth)])).toThrow(
      expect.objectContaining({ code: 'HR_INVALID', message: 'rows[1].more: is nested too deeply' }),
    );
});

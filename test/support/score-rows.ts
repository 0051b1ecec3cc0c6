// Rows through a batch's model, for tests that compare what each of them got.

import { expect } from 'vitest';
import type { Value } from '../../src/core/index.ts';
import type { BatchModel, ScoredRow } from '../../src/models/index.ts';

/** What each row was told, by `shown`, once. */
export function scoreRows<R>(
  model: Pick<BatchModel, 'score'>,
  rows: readonly (readonly Value[])[],
  shown: (result: ScoredRow) => R,
): (R | 'never told')[] {
  const got = new Array<R | 'never told'>(rows.length).fill('never told');
  let told = 0;
  // The same array each time, as the caller may give it.
  const values: Value[] = [];
  model.score(
    rows.length,
    (row) => Object.assign(values, rows[row]),
    (row, result) => {
      told++;
      got[row] = shown(result);
    },
  );
  expect(told).toBe(rows.length);
  return got;
}

// Who has a bucket, at the bounds of the ranges.

import { expect, it } from 'vitest';
import type { BucketRange } from '../../src/registry/index.ts';
import { compileBuckets } from '../../src/rollouts/bucket-owners.ts';

it('a bucket is its range’s from the first to before the last, and nobody’s between ranges', () => {
  const owners: BucketRange[][] = [
    [
      [9000, 10_000],
      [10, 20],
    ],
    [[20, 21]],
    [],
  ];
  const ownerOf = compileBuckets(owners);
  const bounds = [0, 9, 10, 19, 20, 21, 8999, 9000, 9999];
  expect(bounds.map(ownerOf)).toEqual([-1, -1, 0, 0, 1, -1, -1, 0, 0]);
  expect([0, 9999].map(compileBuckets([]))).toEqual([-1, -1]);
  expect([0, 9999].map(compileBuckets([[], [[0, 10_000]]]))).toEqual([1, 1]);
});

// Buckets of an experiment's arms: the fewest move where weights change, and what no arm has is in no experiment.

import { type BucketRange, BUCKETS, moveBuckets, widthOf } from '../../../registry/index.ts';

export interface ArmRanges {
  readonly name: string;
  readonly ranges: readonly BucketRange[];
}

/** Has what no arm has; arms are named otherwise. */
const NOBODY = '';

/** `asked`: percent by arm, in steps of 0.01, 100 at most in all. In their order. */
export function layArms(
  before: readonly ArmRanges[],
  asked: readonly { readonly name: string; readonly weight: number }[],
): ArmRanges[] {
  const given = asked.reduce((sum, { weight }) => sum + Math.round(weight * 100), 0);
  const all = [...asked, { name: NOBODY, weight: (BUCKETS - given) / 100 }];
  // By a number of their own, so that who has gone is nobody's predecessor by its version.
  const holders = before.length === 0 ? [] : [...before, { name: NOBODY, ranges: restOf(before) }];
  const ranges = moveBuckets(
    holders.map((one, at) => ({ ...one, version: at + 1 })),
    all.map((one, at) => ({ ...one, version: -at - 1 })),
  );
  return asked.map(({ name }, at) => ({ name, ranges: ranges[at] ?? [] }));
}

/** Percent. */
export function weightOf({ ranges }: Pick<ArmRanges, 'ranges'>): number {
  return widthOf(ranges) / 100;
}

function restOf(arms: readonly ArmRanges[]): BucketRange[] {
  const taken = arms.flatMap(({ ranges }) => ranges).toSorted(([a], [b]) => a - b);
  const rest: BucketRange[] = [];
  let from = 0;
  for (const [start, end] of taken) {
    if (start > from) rest.push([from, start]);
    from = end;
  }
  if (from < BUCKETS) rest.push([from, BUCKETS]);
  return rest;
}

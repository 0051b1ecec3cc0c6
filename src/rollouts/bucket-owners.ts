// Who has a bucket, among any number of arms: a binary search over the bounds of their ranges.

import type { BucketRange } from '../registry/index.ts';

/** The place of the one whose range has the bucket; −1 where nobody's has. Ranges don't overlap. */
export function compileBuckets(owners: readonly (readonly BucketRange[])[]): (bucket: number) => number {
  const ranges = owners
    .flatMap((own, owner) => own.map(([from, to]) => ({ from, to, owner })))
    .toSorted((one, other) => one.from - other.from);
  const starts = [0];
  const places = [-1];
  const begin = (from: number, place: number): void => {
    if (starts.at(-1) === from) places[places.length - 1] = place;
    else {
      starts.push(from);
      places.push(place);
    }
  };
  for (const { from, to, owner } of ranges) {
    begin(from, owner);
    begin(to, -1);
  }
  // Numbers side by side.
  const bounds = Uint16Array.from(starts);
  const owned = Int16Array.from(places);
  return (bucket) => {
    let low = 0;
    for (let high = bounds.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if ((bounds[middle] as number) <= bucket) low = middle;
      else high = middle - 1;
    }
    return owned[low] as number;
  };
}

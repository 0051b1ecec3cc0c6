// One connection to S3 for all sources that are read with the same means.

import { type Buckets, type DuckDb, openBuckets } from '../../../storage/index.ts';
import type { PlaceDeps } from '../source-deps.ts';

// Its idle sockets keep no process alive; it goes with what it is for.
const open = new WeakMap<DuckDb, Buckets>();

export function bucketsOf({ duckdb, remote }: PlaceDeps): Buckets {
  let buckets = open.get(duckdb);
  if (buckets === undefined) open.set(duckdb, (buckets = openBuckets(remote?.s3)));
  return buckets;
}

// One connection to S3 for all sources that are read with the same means and options.

import { type Buckets, type DuckDb, openBuckets } from '../../../storage/index.ts';
import type { PlaceDeps } from '../source-deps.ts';

// Its idle sockets keep no process alive; it goes with what it is for.
const open = new WeakMap<DuckDb, Map<string, Buckets>>();

export function bucketsOf({ duckdb, remote }: PlaceDeps): Buckets {
  let byOptions = open.get(duckdb);
  if (byOptions === undefined) open.set(duckdb, (byOptions = new Map()));
  const options = JSON.stringify(remote?.s3 ?? {});
  let buckets = byOptions.get(options);
  if (buckets === undefined) byOptions.set(options, (buckets = openBuckets(remote?.s3)));
  return buckets;
}

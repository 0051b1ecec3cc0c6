// Brings what the suites on tables of a lake are written with, once, before several of them want it at the same time. Never
// fails: a suite without it says so.

import { findExtensions } from '../../test/support/duckdb-extensions.ts';
import { findIcebergCatalog } from '../../test/support/iceberg-catalog.ts';
import { findLakeWriter } from '../../test/support/lake-writer.ts';

export function bringLake(tier: string): void {
  if (tier !== 'quick' && tier !== 'full') return;
  const suites = 'suites on tables of a lake';
  if (findLakeWriter(suites) === undefined) return;
  findExtensions(['httpfs', 'avro', 'iceberg', 'delta'], suites);
  findIcebergCatalog(suites);
}

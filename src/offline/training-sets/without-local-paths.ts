// A training set's record as it is told to others than the server's own machine: what was read by name and checksum, and not
// where on the machine's disks it lies.

import { basename } from 'node:path';
import type { CreatedTrainingSet } from './create-training-set.ts';

/** The set's file goes by the name that it is downloaded under, and a spine's query, which may name files, by what it is. */
export function withoutLocalPaths(record: CreatedTrainingSet): CreatedTrainingSet {
  return {
    ...record,
    path: `${record.id}.parquet`,
    spine: QUERY.test(record.spine) ? '(a query)' : nameOf(record.spine),
    sources: record.sources.map((source) => ({
      ...source,
      files: source.files.map((file) => ({ ...file, path: nameOf(file.path) })),
      ...(source.table !== undefined && { table: { ...source.table, table: nameOf(source.table.table) } }),
    })),
  };
}

const QUERY = /^\s*(select|from|with)\s/i;

/** An address is told as it is. */
const nameOf = (path: string): string => (/^[a-z0-9]+:\/\//i.test(path) ? path : basename(path));

// A look at a table of a lake, for who is about to declare it: its columns, without reading its rows.

import type { SourceSpec } from '../../../definitions/index.ts';
import { openDeltaSource } from '../delta/pin-delta.ts';
import { openIcebergSource } from '../iceberg/pin-iceberg.ts';
import type { TableSnapshot } from '../pinned-snapshot.ts';
import type { PlaceDeps } from '../source-deps.ts';
import { queryWork } from '../source-errors.ts';
import type { LakeTable } from './lake-table.ts';

export interface DescribedTable {
  readonly snapshot: TableSnapshot;
  readonly columns: readonly {
    readonly name: string;
    /** DuckDB's, as `DESCRIBE` gives it. */
    readonly type: string;
  }[];
}

/** `owner` is who looks, for messages. Errors as the reading of such a source has them. */
export async function describeTable(
  { kind, location }: { readonly kind: 'iceberg' | 'delta'; readonly location: SourceSpec['location'] },
  directory: string,
  owner: string,
  deps: PlaceDeps,
): Promise<DescribedTable> {
  const open = kind === 'iceberg' ? openIcebergSource : openDeltaSource;
  const { snapshot, relation }: LakeTable = await open(location, directory, owner, deps);
  const connection = await deps.duckdb.connect();
  try {
    const described = await queryWork(`${owner}: ${snapshot.table} cannot be read`, 'HR_SOURCE_UNREADABLE', () =>
      connection.runAndReadAll(`DESCRIBE SELECT * FROM ${relation}`),
    );
    const columns = described.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }));
    return { snapshot, columns };
  } finally {
    connection.closeSync();
  }
}

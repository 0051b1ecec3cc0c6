// What an Iceberg table's metadata file says that a reader of one snapshot needs.

import { gunzipSync } from 'node:zlib';
import { HeadraceError, type Json, parseJson } from '../../../core/index.ts';
import { record } from './json-record.ts';

export interface TableMetadata {
  /** Null where nothing was ever written. All digits: they go past 2^53. */
  readonly snapshotId: string | null;
  /** The snapshots that were not expired. */
  readonly snapshotIds: ReadonlySet<string>;
  /** Ids of the columns, by lower-case name. */
  readonly columnIds: ReadonlyMap<string, number>;
  /** Ids of those that a file may lack and that are not null then: by a default, or by the partition that it is of. */
  readonly filledIn: ReadonlySet<number>;
}

/** Throws HR_SOURCE_UNREADABLE that names the file. */
export function parseMetadata(bytes: Buffer, path: string, owner: string): TableMetadata {
  let json: Json;
  try {
    const isZipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
    json = parseJson((isZipped ? gunzipSync(bytes) : bytes).toString('utf8'));
  } catch (error) {
    throw damaged(path, owner, error);
  }
  const metadata = record(json);
  const schemas = list(metadata['schemas']).map(record);
  // The first version of the format had one schema.
  const schema =
    schemas.find((one) => one['schema-id'] === metadata['current-schema-id']) ?? record(metadata['schema']);
  const columns = list(schema['fields']).map(record);
  if (columns.length === 0) throw damaged(path, owner);
  const current = metadata['current-snapshot-id'] ?? null;
  const defaulted = columns.flatMap(({ id, ...rest }) =>
    (rest['initial-default'] ?? null) === null ? [] : [Number(id)],
  );
  const specs = list(metadata['partition-specs']).map((spec) => list(record(spec)['fields']));
  const partitioned = [...specs.flat(), ...list(metadata['partition-spec'])].map((one) =>
    Number(record(one)['source-id']),
  );
  return {
    snapshotId: current === null || current === -1 ? null : String(current),
    snapshotIds: new Set(list(metadata['snapshots']).map((one) => String(record(one)['snapshot-id']))),
    filledIn: new Set([...defaulted, ...partitioned]),
    columnIds: new Map(columns.map(({ name, id }) => [String(name).toLowerCase(), Number(id)])),
  };
}

const list = (json: Json | undefined): readonly Json[] => (Array.isArray(json) ? (json as readonly Json[]) : []);

function damaged(path: string, owner: string, cause?: unknown): HeadraceError {
  return new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    `${owner}: ${path} is no metadata of an Iceberg table: it is cut short, damaged, or another file.`,
    { cause },
  );
}

// An Iceberg table at one of its snapshots, as DuckDB's extension "iceberg" reads it.

import { HeadraceError } from '../../../core/index.ts';
import { quoteText } from '../../../storage/index.ts';
import type { LakeTable } from '../lake/lake-table.ts';
import { needExtensions } from '../lake/need-extensions.ts';
import { bytesOf, placeOf } from '../lake/table-place.ts';
import { grantAccess } from '../s3/grant-access.ts';
import { isS3Path, parseS3Path } from '../s3/s3-path.ts';
import type { PlaceDeps } from '../source-deps.ts';
import { queryWork } from '../source-errors.ts';
import { parseMetadata } from './table-metadata.ts';

/** Of a table that nothing was ever written to. */
const NO_SNAPSHOT = 'none';

export async function needIceberg(path: string, owner: string, deps: PlaceDeps): Promise<void> {
  await needExtensions([...(isS3Path(path) ? ['httpfs'] : []), 'avro', 'iceberg'], owner, deps);
}

/**
 * At its current snapshot where none is given. `metadata` is a metadata file: it fixes the snapshot and the schema alike,
 * where a snapshot alone would be read with the columns that were when it was written. Errors: HR_UNSUPPORTED without the
 * extension, HR_SOURCE_UNREADABLE, and what S3 says.
 */
export async function openIceberg(
  metadata: string,
  asked: string | undefined,
  owner: string,
  deps: PlaceDeps,
): Promise<LakeTable> {
  await needIceberg(metadata, owner, deps);
  const parsed = parseMetadata(await bytesOf(metadata, owner, deps), metadata, owner);
  const { snapshotId, snapshotIds, columnIds, filledIn } = parsed;
  if (isS3Path(metadata)) await grantAccess([parseS3Path(metadata, owner).bucket], owner, deps);
  const id = asked === NO_SNAPSHOT ? null : (asked ?? snapshotId);
  if (id !== null && !snapshotIds.has(id)) throw expired(metadata, id, owner);
  const at = `${quoteText(metadata)}${id === snapshotId ? '' : `, snapshot_from_id := ${id}`}`;
  const table = {
    snapshot: { table: metadata, id: id ?? NO_SNAPSHOT },
    isCurrent: asked === undefined,
    relation: `iceberg_scan(${at})`,
    inFiles: id === snapshotId ? ({ by: 'id', ids: columnIds, filledIn } as const) : null,
  };
  if (id === null) return { ...table, files: [], deleteFiles: [] };
  const connection = await deps.duckdb.connect();
  try {
    const listed = await queryWork(`${owner}: ${metadata} cannot be read`, 'HR_SOURCE_UNREADABLE', () =>
      connection.runAndReadAll(
        `SELECT file_path, manifest_content = 'DATA', upper(file_format), content = 'EQUALITY_DELETES' FROM iceberg_metadata(${at}) WHERE status <> 'DELETED'`,
      ),
    );
    const files = listed
      .getRows()
      .map(([path, isData, format, isByValue]) => ({ path: placeOf(String(path), '/'), isData, format, isByValue }));
    const other = files.find(({ isData, format }) => isData && format !== 'PARQUET');
    if (other !== undefined) throw otherFormat(other.path, String(other.format), owner);
    const remote = files.flatMap(({ path }) => (isS3Path(path) ? [parseS3Path(path, owner).bucket] : []));
    if (remote.length > 0) await grantAccess(remote, owner, deps);
    return {
      ...table,
      files: files.flatMap(({ path, isData }) => (isData ? [path] : [])),
      deleteFiles: files.flatMap(({ path, isData }) => (isData ? [] : [path])),
      valueDeletes: files.flatMap(({ path, isData, isByValue }) => (isData || isByValue !== true ? [] : [path])),
    };
  } finally {
    connection.closeSync();
  }
}

function expired(metadata: string, id: string, owner: string): HeadraceError {
  return new HeadraceError('HR_SOURCE_UNREADABLE', `${owner}: snapshot ${id} of ${metadata} was expired.`);
}

function otherFormat(path: string, format: string, owner: string): HeadraceError {
  return new HeadraceError(
    'HR_UNSUPPORTED',
    `${owner}: ${path} is of format ${format}, and this build reads Iceberg tables of Parquet. Rewrite its data files.`,
  );
}

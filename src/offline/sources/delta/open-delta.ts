// A Delta table at one of its versions, as DuckDB's extension "delta" reads it.

import { quoteText } from '../../../storage/index.ts';
import type { LakeTable } from '../lake/lake-table.ts';
import { needExtensions } from '../lake/need-extensions.ts';
import { grantAccess } from '../s3/grant-access.ts';
import { isS3Path, parseS3Path } from '../s3/s3-path.ts';
import type { PlaceDeps } from '../source-deps.ts';
import { queryWork } from '../source-errors.ts';
import { findVersion } from './find-version.ts';

/**
 * Its newest version where none is given. Errors: HR_UNSUPPORTED without the extension, HR_SOURCE_UNREADABLE where there is
 * no table, or no such version any more, and what S3 says.
 */
export async function openDelta(
  folder: string,
  asked: string | undefined,
  owner: string,
  deps: PlaceDeps,
): Promise<LakeTable> {
  const isRemote = isS3Path(folder);
  await needExtensions([...(isRemote ? ['httpfs'] : []), 'delta'], owner, deps);
  const version = asked === undefined ? await findVersion(folder, owner, deps) : BigInt(asked);
  if (isRemote) await grantAccess([parseS3Path(folder, owner).bucket], owner, deps);
  const at = `${quoteText(folder)}, version := ${version}`;
  const connection = await deps.duckdb.connect();
  try {
    const listed = await queryWork(
      `${owner}: version ${version} of ${folder} cannot be read`,
      'HR_SOURCE_UNREADABLE',
      () =>
        connection.runAndReadAll(
          `SELECT data_file, have_deletes, transform_expression IS NOT NULL FROM delta_list_files(${at}, transform_expression := true)`,
        ),
    );
    const files = listed.getRows();
    return {
      snapshot: { table: folder, id: String(version) },
      isCurrent: asked === undefined,
      files: files.map(([path]) => String(path)),
      deleteFiles: [],
      relation: `delta_scan(${at})`,
      // Rows that deletion vectors take away; columns that are renamed, or are in the path.
      inFiles: files.some(([, hasDeletes, isTransformed]) => hasDeletes || isTransformed) ? null : { by: 'name' },
    };
  } finally {
    connection.closeSync();
  }
}

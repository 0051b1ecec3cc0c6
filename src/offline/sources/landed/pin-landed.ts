// Landed rows that a record names, for who reads the same again: those that were kept, as the database has others by now.

import { stat } from 'node:fs/promises';
import { HeadraceError } from '../../../core/index.ts';
import type { SnapshotFile } from '../../../online/index.ts';
import { pinFiles } from '../files/pin-files.ts';
import type { PinnedSnapshot } from '../pinned-snapshot.ts';
import type { SourceDeps } from '../source-deps.ts';
import { queryWork } from '../source-errors.ts';
import { rowsHash } from './land-query.ts';

/** With the hash that their rows have now. Throws HR_SOURCE_UNREADABLE where they are gone. */
export async function pinLanded(
  owner: string,
  recorded: readonly SnapshotFile[],
  { duckdb }: Pick<SourceDeps, 'duckdb'>,
): Promise<PinnedSnapshot> {
  for (const { path } of recorded) {
    if ((await stat(path).catch(() => undefined)) !== undefined) continue;
    throw new HeadraceError(
      'HR_SOURCE_UNREADABLE',
      `${owner}: ${path} is gone, the rows that were read then. They lie on the machine that read them, for as long as a training set of its registry needs them.`,
    );
  }
  const pinned = await pinFiles(
    recorded.map(({ path }) => path),
    owner,
  );
  const connection = await duckdb.connect();
  try {
    const files: SnapshotFile[] = [];
    for (const [i, { path, size }] of pinned.files.entries()) {
      const etag = await queryWork(`${owner}: ${path} cannot be read`, 'HR_SOURCE_UNREADABLE', () =>
        rowsHash(connection, pinned.paths[i] as string),
      );
      files.push({ path, size, etag });
    }
    return { ...pinned, files, knownBy: 'etag' };
  } catch (error) {
    await pinned.close();
    throw error;
  } finally {
    connection.closeSync();
  }
}

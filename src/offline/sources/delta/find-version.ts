// The newest version of a Delta table: the greatest that its log has a commit or a checkpoint of.

import { HeadraceError } from '../../../core/index.ts';
import { namesIn } from '../lake/table-place.ts';
import type { PlaceDeps } from '../source-deps.ts';

const VERSION = /^(\d{20})\.(json|checkpoint\..+)$/;

/** Throws HR_SOURCE_UNREADABLE where there is no Delta table, and what S3 says. */
export async function findVersion(folder: string, owner: string, deps: PlaceDeps): Promise<bigint> {
  const versions = (await namesIn(`${folder}/_delta_log`, owner, deps)).flatMap((name) => {
    const [, version] = VERSION.exec(name) ?? [];
    return version === undefined ? [] : [BigInt(version)];
  });
  if (versions.length > 0) return versions.reduce((a, b) => (a > b ? a : b));
  throw new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    `${owner}: there is no Delta table at ${folder}: it has no _delta_log with a version. Check its path.`,
  );
}

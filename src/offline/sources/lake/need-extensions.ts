// DuckDB's extensions that a table format can't do without.

import { HeadraceError } from '../../../core/index.ts';
import type { PlaceDeps } from '../source-deps.ts';

/** Loads them, in their order. Throws HR_UNSUPPORTED that says how to get the one that can't be had. */
export async function needExtensions(
  names: readonly string[],
  owner: string,
  { duckdb }: Pick<PlaceDeps, 'duckdb'>,
): Promise<void> {
  for (const name of names) {
    const trouble = await duckdb.extension(name);
    if (trouble === undefined) continue;
    throw new HeadraceError(
      'HR_UNSUPPORTED',
      `${owner} needs DuckDB's extension "${name}", which cannot be loaded (${trouble}). ` +
        `Name a folder that holds ${name}.duckdb_extension as offline.extensions, or run INSTALL ${name} once where DuckDB's own host can be reached.`,
    );
  }
}

// Which reader pins a source, by its kind: the one table to extend for another kind.

import { HeadraceError } from '../../core/index.ts';
import type { Definitions, SourceKind, SourceSpec } from '../../definitions/index.ts';
import type { SnapshotFile } from '../../online/index.ts';
import { DATABASES } from './databases/databases.ts';
import { pinDatabase } from './databases/pin-database.ts';
import { pinFiles } from './files/pin-files.ts';
import { pinLanded } from './landed/pin-landed.ts';
import { pinPath, pinPaths } from './pin-path.ts';
import type { PinnedSnapshot } from './pinned-snapshot.ts';
import type { SourceDeps } from './source-deps.ts';

/**
 * Fixes what a run reads of a source of one kind: throws HR_SOURCE_UNREADABLE where there is nothing to read, HR_CONFIG for
 * credentials that are missing or refused. `definitions` are those that the source is of.
 */
export type PinSource = (
  source: SourceSpec,
  definitions: Pick<Definitions, 'manifest' | 'directory' | 'functions'>,
  deps: SourceDeps,
) => Promise<PinnedSnapshot>;

const READERS: Readonly<Partial<Record<SourceKind, PinSource>>> = {
  parquet: (source, { directory }, deps) => pinPath(filesOf(source, directory, 'parquet'), deps),
  csv: (source, { directory }, deps) => pinPath(filesOf(source, directory, 'csv'), deps),
  postgres: (source, _, deps) => pinDatabase(source, DATABASES.postgres, deps),
  mysql: (source, _, deps) => pinDatabase(source, DATABASES.mysql, deps),
  snowflake: (source, _, deps) => pinDatabase(source, DATABASES.snowflake, deps),
  // Its events are in the log alone.
  pushed: () => pinFiles([], ''),
};

/** Kinds whose rows are landed: a record names what was kept of them. */
const LANDED: ReadonlySet<SourceKind> = new Set<SourceKind>(Object.keys(DATABASES) as SourceKind[]);

export const pinSource: PinSource = async (source, definitions, deps) => {
  const pin = READERS[source.kind];
  if (pin !== undefined) return pin(source, definitions, deps);
  throw new HeadraceError(
    'HR_UNSUPPORTED',
    `source "${source.name}" is of kind ${source.kind}, which this build cannot read yet. ` +
      'Export it to Parquet and declare it with parquet(…).',
  );
};

/** The files that a record names, for who reads the same again: whether they hold the same is the caller's to see. */
export function pinRecorded(
  source: SourceSpec,
  files: readonly SnapshotFile[],
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  if (LANDED.has(source.kind)) return pinLanded(`source "${source.name}"`, files, deps);
  const format = source.kind === 'csv' ? 'csv' : 'parquet';
  const paths = files.map(({ path }) => path);
  return pinPaths(paths, { format, owner: `source "${source.name}"` }, deps);
}

function filesOf({ name, location }: SourceSpec, directory: string, format: PinnedSnapshot['format']) {
  // The manifest was validated: a source of files has a path.
  return { path: location['path'] as string, directory, format, owner: `source "${name}"` };
}

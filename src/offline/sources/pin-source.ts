// Which reader pins a source, by its kind: the one table to extend for another kind.

import { dirname, join } from 'node:path';
import { HeadraceError } from '../../core/index.ts';
import type { SourceKind, SourceSpec } from '../../definitions/index.ts';
import { DATABASES } from './databases/databases.ts';
import { pinDatabase } from './databases/pin-database.ts';
import { ALL_EVENTS, type EventRange } from './event-range.ts';
import type { SourceFile } from './file-identity.ts';
import { pinFiles } from './files/pin-files.ts';
import { pinLanded } from './landed/pin-landed.ts';
import { withFooters } from './parquet/with-footers.ts';
import { keepsPath } from './path-partitions.ts';
import { pinPath, pinPaths } from './pin-path.ts';
import type { PinnedSnapshot } from './pinned-snapshot.ts';
import { pinQuery } from './query/pin-query.ts';
import type { SourceDeps } from './source-deps.ts';

/**
 * Fixes what a run reads of a source of one kind; the definitions in `deps` are those that the source is of. Rows outside
 * the range may be left out, and need not be. Throws HR_SOURCE_UNREADABLE where there is nothing to read, HR_CONFIG for
 * credentials that are missing or refused.
 */
export type PinSource = (source: SourceSpec, range: EventRange, deps: SourceDeps) => Promise<PinnedSnapshot>;

const READERS: Readonly<Partial<Record<SourceKind, PinSource>>> = {
  parquet: async (source, range, deps) =>
    withFooters(source, await pinOwn(source, range, 'parquet', deps), range, deps),
  csv: (source, range, deps) => pinOwn(source, range, 'csv', deps),
  query: (source, _range, deps) => pinQuery(source, deps, (over) => pinSource(over, ALL_EVENTS, deps)),
  postgres: (source, _range, deps) => pinDatabase(source, DATABASES.postgres, deps),
  mysql: (source, _range, deps) => pinDatabase(source, DATABASES.mysql, deps),
  snowflake: (source, _range, deps) => pinDatabase(source, DATABASES.snowflake, deps),
  // Their events are in the log alone.
  pushed: () => pinFiles([], ''),
  kafka: () => pinFiles([], ''),
};

export const pinSource: PinSource = async (source, range, deps) => {
  const pin = READERS[source.kind];
  if (pin !== undefined) return pin(source, range, deps);
  throw new HeadraceError(
    'HR_UNSUPPORTED',
    `source "${source.name}" is of kind ${source.kind}, which this build cannot read yet. ` +
      'Export it to Parquet and declare it with parquet(…).',
  );
};

/** The files that a record names, for who reads the same again: whether they hold the same is the caller's to see. */
export function pinRecorded(
  source: SourceSpec,
  files: readonly SourceFile[],
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  const landed = join(deps.dataDirectory, 'landed', source.name);
  if (files.length > 0 && files.every(({ path }) => dirname(path) === landed))
    return pinLanded(`source "${source.name}"`, files, deps);
  const format = source.kind === 'csv' ? 'csv' : 'parquet';
  const paths = files.map(({ path }) => path);
  return pinPaths(paths, { format, owner: `source "${source.name}"` }, deps);
}

function pinOwn(source: SourceSpec, range: EventRange, format: PinnedSnapshot['format'], deps: SourceDeps) {
  const { name, location } = source;
  const place = {
    // The manifest was validated: a source of files has a path.
    path: location['path'] as string,
    directory: deps.definitions.directory,
    format,
    owner: `source "${name}"`,
    keeps: keepsPath(source, range),
  };
  return pinPath(place, deps);
}

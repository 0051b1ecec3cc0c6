// Which reader pins a source, by its kind: the one table to extend for another kind.

import { dirname } from 'node:path';
import { HeadraceError } from '../../core/index.ts';
import type { SourceKind, SourceSpec } from '../../definitions/index.ts';
import { DATABASES } from './databases/databases.ts';
import { pinDatabase } from './databases/pin-database.ts';
import { pinDelta, pinDeltaVersion } from './delta/pin-delta.ts';
import { ALL_EVENTS, type EventRange } from './event-range.ts';
import type { SourceFile } from './file-identity.ts';
import { pinFiles } from './files/pin-files.ts';
import { pinIceberg, pinIcebergSnapshot } from './iceberg/pin-iceberg.ts';
import { landedFolder } from './landed/land-query.ts';
import { pinLanded } from './landed/pin-landed.ts';
import { withFooters } from './parquet/with-footers.ts';
import { checkLeftOut } from './check-left-out.ts';
import { keepsPath } from './path-partitions.ts';
import { pinPath, pinPaths } from './pin-path.ts';
import type { PinnedSnapshot, TableSnapshot } from './pinned-snapshot.ts';
import { pinQuery } from './query/pin-query.ts';
import { isS3Path } from './s3/s3-path.ts';
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
  iceberg: (source, range, deps) => pinIceberg(source, range, deps),
  delta: (source, range, deps) => pinDelta(source, range, deps),
  query: (source, _range, deps) => pinQuery(source, deps, (over) => pinSource(over, ALL_EVENTS, deps)),
  postgres: (source, range, deps) => pinDatabase(source, DATABASES.postgres, range, deps),
  mysql: (source, range, deps) => pinDatabase(source, DATABASES.mysql, range, deps),
  snowflake: (source, range, deps) => pinDatabase(source, DATABASES.snowflake, range, deps),
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

/** How a kind whose tables keep their snapshots reads one again. */
const TABLES: Readonly<
  Partial<Record<SourceKind, (source: SourceSpec, at: TableSnapshot, deps: SourceDeps) => Promise<PinnedSnapshot>>>
> = { iceberg: pinIcebergSnapshot, delta: pinDeltaVersion };

export interface RecordedSource {
  readonly files: readonly SourceFile[];
  readonly table?: TableSnapshot;
}

/** The files that a record names, for who reads the same again: whether they hold the same is the caller's to see. */
export async function pinRecorded(
  source: SourceSpec,
  { files, table }: RecordedSource,
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  const format = source.kind === 'csv' ? 'csv' : 'parquet';
  const owner = `source "${source.name}"`;
  const paths = files.map(({ path }) => path);
  const landed = landedFolder(deps, source);
  const areLanded = files.length > 0 && paths.every((path) => dirname(path) === landed);
  const pinThose = () => (areLanded ? pinLanded(owner, files, deps) : pinPaths(paths, { format, owner }, deps));
  const again = TABLES[source.kind];
  if (table === undefined || again === undefined) return pinThose();
  // Landed rows may be on another machine, or be gone: the table's snapshot gives them again. What its files mean the table
  // knows; where it has forgotten, they may still be there.
  const [first, second] = files.some(isLanded)
    ? [() => pinLanded(owner, files, deps), () => again(source, table, deps)]
    : [() => again(source, table, deps), pinThose];
  try {
    return await first();
  } catch (error) {
    if (!(error instanceof HeadraceError) || table.isRenamed === true) throw error;
    return second();
  }
}

/** Whether it holds rows that a query gave: known by them, and of this machine or another. */
const isLanded = ({ path, sha256 }: SourceFile): boolean => sha256 === undefined && !isS3Path(path);

async function pinOwn(
  source: SourceSpec,
  range: EventRange,
  format: PinnedSnapshot['format'],
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  const { name, location } = source;
  const place = {
    // The manifest was validated: a source of files has a path.
    path: location['path'] as string,
    directory: deps.definitions.directory,
    format,
    owner: `source "${name}"`,
    keeps: keepsPath(source, range),
  };
  const pinned = await pinPath(place, deps);
  try {
    if (pinned.leftOut !== undefined) await checkLeftOut(source, pinned.leftOut, deps);
    return pinned;
  } catch (error) {
    await pinned.close();
    throw error;
  }
}

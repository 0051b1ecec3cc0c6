// Which reader pins a source, by its kind: the one table to extend for another kind.

import { HeadraceError } from '../../core/index.ts';
import type { Definitions, SourceKind, SourceSpec } from '../../definitions/index.ts';
import type { SourceFile } from './file-identity.ts';
import { pinDelta, pinDeltaVersion } from './delta/pin-delta.ts';
import { pinFiles } from './files/pin-files.ts';
import { pinIceberg, pinIcebergSnapshot } from './iceberg/pin-iceberg.ts';
import { pinLanded } from './landed/pin-landed.ts';
import { pinPath, pinPaths } from './pin-path.ts';
import type { PinnedSnapshot, TableSnapshot } from './pinned-snapshot.ts';
import { isS3Path } from './s3/s3-path.ts';
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
  iceberg: pinIceberg,
  delta: pinDelta,
  // Its events are in the log alone.
  pushed: () => pinFiles([], ''),
};

export const pinSource: PinSource = async (source, definitions, deps) => {
  const pin = READERS[source.kind];
  if (pin !== undefined) return pin(source, definitions, deps);
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
  const again = TABLES[source.kind];
  const pinThose = () => pinPaths(paths, { format, owner }, deps);
  if (table === undefined || again === undefined) return pinThose();
  // Landed rows may be on another machine, or be gone: the table's snapshot gives them again. What its files mean the table
  // knows; where it has forgotten, they may still be there.
  const isLandedThen = files.some(isLanded);
  const [first, second] = isLandedThen
    ? [() => pinLanded(owner, files, deps), () => again(source, table, deps)]
    : [() => again(source, table, deps), pinThose];
  try {
    return await first();
  } catch (error) {
    if (!(error instanceof HeadraceError) || table.isRenamed === true) throw error;
    return second();
  }
}

/** Whether it holds rows that a query gave: known by them, and on this machine. */
const isLanded = ({ path, sha256 }: SourceFile): boolean => sha256 === undefined && !isS3Path(path);

function filesOf({ name, location }: SourceSpec, directory: string, format: PinnedSnapshot['format']) {
  // The manifest was validated: a source of files has a path.
  return { path: location['path'] as string, directory, format, owner: `source "${name}"` };
}

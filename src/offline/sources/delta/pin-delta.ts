// Pins a Delta table at its newest version, or at one that a record names.

import type { SourceSpec } from '../../../definitions/index.ts';
import type { LakeTable } from '../lake/lake-table.ts';
import { pinTable } from '../lake/pin-table.ts';
import { placeOf } from '../lake/table-place.ts';
import type { PinnedSnapshot, TableSnapshot } from '../pinned-snapshot.ts';
import type { PlaceDeps, SourceDeps } from '../source-deps.ts';
import { openDelta } from './open-delta.ts';

export const pinDelta = async (source: SourceSpec, deps: SourceDeps): Promise<PinnedSnapshot> =>
  pinTable(
    source,
    await openDeltaSource(source.location, deps.definitions.directory, `source "${source.name}"`, deps),
    deps,
  );

export async function pinDeltaVersion(
  source: SourceSpec,
  { table, id }: TableSnapshot,
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  return pinTable(source, await openDelta(table, id, `source "${source.name}"`, deps), deps);
}

/** The table at a source's location; errors as `openDelta`. */
export function openDeltaSource(
  location: SourceSpec['location'],
  directory: string,
  owner: string,
  deps: PlaceDeps,
): Promise<LakeTable> {
  // The manifest was validated: it has a path.
  return openDelta(placeOf(location['path'] as string, directory), undefined, owner, deps);
}

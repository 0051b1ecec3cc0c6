// Pins an Iceberg table at its current snapshot, or at one that a record names.

import type { SourceSpec } from '../../../definitions/index.ts';
import type { EventRange } from '../event-range.ts';
import type { LakeTable } from '../lake/lake-table.ts';
import { pinTable } from '../lake/pin-table.ts';
import { recordedRange } from '../lake/rows-in-range.ts';
import { placeOf } from '../lake/table-place.ts';
import type { PinnedSnapshot, TableSnapshot } from '../pinned-snapshot.ts';
import type { PlaceDeps, SourceDeps } from '../source-deps.ts';
import { askCatalog } from './ask-catalog.ts';
import { parseCatalogUrl } from './catalog-address.ts';
import { findMetadata, isMetadataFile } from './find-metadata.ts';
import { needIceberg, openIceberg } from './open-iceberg.ts';
import { refuseLostNulls } from './refuse-lost-nulls.ts';

export async function pinIceberg(source: SourceSpec, range: EventRange, deps: SourceDeps): Promise<PinnedSnapshot> {
  const owner = `source "${source.name}"`;
  const opened = await openIcebergSource(source.location, deps.definitions.directory, owner, deps);
  await refuseLostNulls(opened, owner, deps);
  return await pinTable(source, opened, range, deps);
}

export async function pinIcebergSnapshot(
  source: SourceSpec,
  { table, id, events }: TableSnapshot,
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  const owner = `source "${source.name}"`;
  const opened = await openIceberg(table, id, owner, deps);
  await refuseLostNulls(opened, owner, deps);
  return await pinTable(source, opened, recordedRange(events), deps);
}

/** The table at a source's location; errors as `openIceberg`, and what its catalog says. */
export async function openIcebergSource(
  location: SourceSpec['location'],
  directory: string,
  owner: string,
  deps: PlaceDeps,
): Promise<LakeTable> {
  const { path, catalog, table } = location;
  if (path !== undefined) {
    const place = placeOf(path, directory);
    await needIceberg(place, owner, deps);
    const metadata = isMetadataFile(place) ? place : await findMetadata(place, owner, deps);
    return openIceberg(metadata, undefined, owner, deps);
  }
  // The manifest was validated: it has a path, or a catalog and a table.
  const variable = (catalog as string).slice('env:'.length);
  const address = parseCatalogUrl(deps.remote?.variable?.(variable), variable, owner);
  const metadata = await askCatalog(address, { name: table as string, owner, variable });
  return openIceberg(placeOf(metadata, directory), undefined, owner, deps);
}

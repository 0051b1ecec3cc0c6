// Versions of views as the registry keeps them: a row each, which outlives its records.

import type { Micros } from '../../core/index.ts';
import { viewOfVersion } from '../../definitions/index.ts';
import type { RegistryTables } from '../schema.ts';
import type { RegistryDb } from '../store.ts';

export type ViewVersionTable = RegistryTables['registry_view_versions'];

export interface ViewVersionRow {
  readonly version: string;
  /** The view's name in the manifest of `manifestHash`. */
  readonly view: string;
  readonly manifestHash: string;
  /** Grows each time that the version comes back after it was removed. */
  readonly epoch: number;
  readonly addedMicros: Micros;
  /** When readers could move to it; null while it is filled. */
  readonly completedMicros: Micros | null;
  /** Since when nothing is known to read it; null while something does. */
  readonly unreadSinceMicros: Micros | null;
}

/** All that are kept. */
export async function readKept(db: RegistryDb): Promise<readonly ViewVersionRow[]> {
  return toRows(await db.selectFrom('registry_view_versions').selectAll().where('removed_at', 'is', null).execute());
}

/** By name, and in the order in which they came. */
export function toRows(rows: readonly ViewVersionTable[]): ViewVersionRow[] {
  return rows.map(toRow).toSorted((a, b) => {
    const [one, other] = [viewOfVersion(a.version), viewOfVersion(b.version)];
    return one === other ? a.addedMicros - b.addedMicros : one < other ? -1 : 1;
  });
}

export function toRow(row: ViewVersionTable): ViewVersionRow {
  return {
    version: row.version,
    view: row.view,
    manifestHash: row.manifest_hash,
    epoch: row.epoch,
    addedMicros: row.added_at,
    completedMicros: row.completed_at,
    unreadSinceMicros: row.unread_since,
  };
}

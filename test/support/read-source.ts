// A source read as a run reads it, and its rows.

import type { Field, Row } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import type { OfflineDeps } from '../../src/offline/index.ts';
import { ALL_EVENTS, type EventRange } from '../../src/offline/sources/event-range.ts';
import { pinSource } from '../../src/offline/sources/pin-source.ts';
import { type OfflineWorld, readParquet, sourceOf } from './offline-world.ts';

export interface Asked {
  readonly kind: SourceSpec['kind'];
  readonly columns: readonly Field[];
  readonly location: SourceSpec['location'];
  readonly remote: NonNullable<OfflineDeps['remote']>;
  /** Left out: all. */
  readonly range?: EventRange;
}

export async function readSource(
  world: OfflineWorld,
  { kind, columns, location, remote, range = ALL_EVENTS }: Asked,
): Promise<Row[]> {
  const source = sourceOf('orders', '', columns, { kind, location });
  const snapshot = await pinSource(source, range, { ...world.deps, remote });
  try {
    return await readParquet(world.connection, snapshot.paths[0] as string, columns);
  } finally {
    await snapshot.close();
  }
}

// What is served at one moment: a request keeps the plans that it started with.

import type { Definitions, LiveVersion } from '../definitions/index.ts';
import { type ServedService, versionsRead } from '../registry/index.ts';
import type { EndpointSlot } from './endpoint-loads.ts';
import type { ReadPlan } from './features/read-plan.ts';

/** Swapped whole; only `servicePlans` and `referencePlans` grow. */
export interface Snapshot {
  readonly revision: number;
  readonly definitions: Definitions;
  readonly versions: readonly LiveVersion[];
  /** Those of them that the registry says are complete. */
  readonly complete: ReadonlySet<LiveVersion>;
  readonly endpoints: ReadonlyMap<string, EndpointSlot>;
  /** By which definitions each service is served. */
  readonly services: ReadonlyMap<string, ServedBy>;
  /** Those that were asked for. */
  readonly servicePlans: Map<string, ReadPlan>;
  /** Of lists of references, by their text: the ones that were asked for last. */
  readonly referencePlans: Map<string, ReadPlan>;
  /** Whether readers may take a version of a view. */
  isReadable(version: string): boolean;
}

export interface ServedBy extends ServedService {
  readonly definitions: Definitions;
}

/** Why what is applied is not loaded. */
export interface SnapshotFailure {
  readonly revision: number;
  readonly error: string;
  readonly thrown: unknown;
}

/** The view versions that its answers come from. */
export function versionsReadIn({ endpoints, services }: Snapshot): string[] {
  const read = new Set([...endpoints.values()].flatMap(({ plan }) => plan?.versions ?? []));
  for (const { definitions, service } of services.values()) {
    for (const version of versionsRead(definitions.manifest, service)) read.add(version);
  }
  return [...read].sort();
}

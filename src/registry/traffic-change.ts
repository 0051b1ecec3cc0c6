// A change of an endpoint's traffic on its way: asked for, loaded by every live server, then active everywhere or nowhere.

import type { Micros } from '../core/index.ts';
import type { Shadow, Variant } from './traffic.ts';
import type { ServerRow } from './versions/servers.ts';

export interface TrafficChange {
  /** What the endpoint's revision becomes once it is active. */
  readonly revision: number;
  readonly variants: readonly Variant[];
  readonly shadows: readonly Shadow[];
  readonly state: 'preparing' | 'active' | 'failed';
  /** Of the servers that could not load it. */
  readonly failures: readonly ServerFailure[];
  readonly askedMicros: Micros;
  readonly actor: string;
  /** Why, as whoever asked said it. */
  readonly reason: string | null;
}

export interface ServerFailure {
  /** `machine pid`, for people. */
  readonly server: string;
  readonly reason: string;
}

export type TrafficVerdict =
  | { readonly kind: 'prepared' }
  | { readonly kind: 'failed'; readonly failures: readonly ServerFailure[] }
  | { readonly kind: 'waiting'; readonly waitsFor: readonly string[] };

/** By what the live servers told of themselves. Without any there is nobody to wait for. */
export function judgeChange(
  endpoint: string,
  change: Pick<TrafficChange, 'revision'>,
  servers: readonly ServerRow[],
): TrafficVerdict {
  const failures: ServerFailure[] = [];
  const waitsFor: string[] = [];
  for (const server of servers) {
    // An older build takes what it finds; one that has loaded nothing answers nobody.
    if (server.prepared === undefined || server.revision === null) continue;
    const told = Object.hasOwn(server.prepared, endpoint) ? server.prepared[endpoint] : undefined;
    if (told?.revision !== change.revision) waitsFor.push(nameOf(server));
    else if (told.failure !== null) failures.push({ server: nameOf(server), reason: told.failure });
  }
  if (failures.length > 0) return { kind: 'failed', failures };
  return waitsFor.length > 0 ? { kind: 'waiting', waitsFor } : { kind: 'prepared' };
}

function nameOf({ machine, pid }: ServerRow): string {
  return `${machine} ${pid}`;
}

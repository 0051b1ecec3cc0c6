// A change of an endpoint's traffic on its way: asked for, loaded by every live server, then active and taken up by each, or
// nowhere; and how far the servers are by what they tell of themselves.

import type { Micros } from '../core/index.ts';
import type { LiveExperiment } from './live-experiment.ts';
import type { Shadow, Variant } from './traffic.ts';
import type { ServerRow, Servers } from './versions/servers.ts';

export interface TrafficChange {
  /** What the endpoint's revision becomes once it is active. */
  readonly revision: number;
  readonly variants: readonly Variant[];
  readonly shadows: readonly Shadow[];
  readonly experiments: readonly LiveExperiment[];
  readonly state: 'preparing' | 'active' | 'failed';
  /** Of the servers that could not load it. */
  readonly failures: readonly ServerFailure[];
  readonly askedMicros: Micros;
  readonly actor: string;
  /** Why, as whoever asked said it. */
  readonly reason: string | null;
  /** Id of the rollout that asked for it. */
  readonly byRollout?: string;
  /** Id of the rollout that ends once this is active; until then it goes on over the traffic that there is. */
  readonly endsRollout?: string;
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

/**
 * Live servers that a change which is being prepared, or the traffic that is active, waits for: those that have yet to load it, or
 * to answer by it.
 */
export function trafficWaitsFor(
  {
    name,
    revision,
    change,
  }: { readonly name: string; readonly revision: number; readonly change: TrafficChange | null },
  servers: readonly ServerRow[],
): readonly string[] {
  if (change?.state === 'preparing') {
    const verdict = judgeChange(name, change, servers);
    return verdict.kind === 'waiting' ? verdict.waitsFor : [];
  }
  return servers.filter((server) => !answersBy(server, name, revision)).map(nameOf);
}

/** The same by what the registry tells now. Null where it tells nothing: a change that is active does not fail for that. */
export async function readTrafficWaits(
  state: Parameters<typeof trafficWaitsFor>[0],
  servers: Pick<Servers, 'list'>,
): Promise<readonly string[] | null> {
  try {
    return trafficWaitsFor(state, await servers.list());
  } catch {
    return null;
  }
}

/** Or by what came later. */
function answersBy({ revision: applied, endpoints }: ServerRow, endpoint: string, revision: number): boolean {
  // As above: nobody knows of an older build, and one that has loaded nothing answers nobody.
  if (endpoints === undefined || applied === null) return true;
  const told = Object.hasOwn(endpoints, endpoint) ? endpoints[endpoint] : undefined;
  return (told?.revision ?? 0) >= revision;
}

function nameOf({ machine, pid }: ServerRow): string {
  return `${machine} ${pid}`;
}

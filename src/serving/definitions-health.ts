// Whether what is defined is served: per endpoint, service and view version, ready or why not. Told in /health/ready's body, in
// /v1/status and in metrics.

import type { ServiceState } from '../registry/index.ts';
import type { Snapshot } from './snapshot.ts';
import type { StoreHealth, ViewHealth } from './store-check.ts';

export interface DefinitionsHealth {
  /** The apply that is loaded; null before the first. */
  readonly revision: number | null;
  /** One that is applied and could not be loaded, with why; null when there is none. */
  readonly notLoaded: { readonly revision: number; readonly reason: string } | null;
  readonly endpoints: readonly EndpointHealth[];
  readonly services: readonly ServiceHealth[];
  readonly views: readonly ViewHealth[];
  /** Why nothing of the store can be what is asked for; null when something was there once, or nothing is expected. */
  readonly otherStore: string | null;
}

export interface EndpointHealth {
  readonly endpoint: string;
  /** `stale`: what it served before goes on; `failed`: nothing can be served; `empty`: it has no traffic yet. */
  readonly state: 'serving' | 'stale' | 'failed' | 'empty';
  /** Model versions that the registry says, and those that are served. */
  readonly wanted: readonly number[];
  readonly served: readonly number[];
  /** Null when it serves what is wanted. */
  readonly reason: string | null;
}

export interface ServiceHealth {
  readonly service: string;
  readonly state: ServiceState;
  /** The apply whose definitions it is served by. */
  readonly revision: number;
  /** View versions that are not complete. */
  readonly waitsFor: readonly string[];
}

export function definitionsHealth(
  snapshot: Snapshot | undefined,
  failure: { readonly revision: number; readonly error: string } | undefined,
  { views, otherStore }: StoreHealth,
): DefinitionsHealth {
  return {
    revision: snapshot?.revision ?? null,
    notLoaded: failure === undefined ? null : { revision: failure.revision, reason: failure.error },
    endpoints: snapshot?.states.map((state) => endpointHealth(snapshot, state)) ?? [],
    services: [...(snapshot?.services.values() ?? [])].map(({ service, revision, waitsFor, state }) => ({
      service,
      state,
      revision,
      waitsFor,
    })),
    views,
    otherStore,
  };
}

function endpointHealth(
  { endpoints, failures }: Snapshot,
  { name, variants }: Snapshot['states'][number],
): EndpointHealth {
  const wanted = variants.map(({ version }) => version);
  const served = endpoints.get(name)?.variants.map(({ version }) => version) ?? [];
  const reason = failures.get(name)?.message ?? null;
  const state = wanted.length === 0 ? 'empty' : reason === null ? 'serving' : served.length > 0 ? 'stale' : 'failed';
  return { endpoint: name, state, wanted, served, reason };
}

// Whether what is defined is served: per endpoint, service and view version, ready or why not. Told in /health/ready's body, in
// /v1/status and in metrics.

import type { Micros } from '../core/index.ts';
import type { EndpointState, ServiceState } from '../registry/index.ts';
import { routedArms } from '../rollouts/index.ts';
import type { OpenBreaker } from './breakers.ts';
import type { EndpointSlot } from './endpoint-loads.ts';
import type { Failing } from './request-truth.ts';
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
  /** `stale`: what it served before goes on, or those of its versions that are loaded; `failed`: nothing is answered; `empty`: it has no traffic yet. */
  readonly state: 'serving' | 'stale' | 'failed' | 'empty';
  /** Model versions that the registry says, and those that are served. */
  readonly wanted: readonly number[];
  readonly served: readonly number[];
  /** Null when it serves what is wanted, and shadows with it. */
  readonly reason: string | null;
  /** Since when it does not; null when it does, or while it is being loaded. */
  readonly sinceMicros: Micros | null;
  /** When what failed is tried again; null where that can't help. */
  readonly retryMicros: Micros | null;
  /** Variants whose requests go to the base since they fail; left out where there is none. */
  readonly breakers?: readonly OpenBreaker[];
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
  failing: (endpoint: string) => Failing | undefined,
): DefinitionsHealth {
  return {
    revision: snapshot?.revision ?? null,
    notLoaded: failure === undefined ? null : { revision: failure.revision, reason: failure.error },
    endpoints: [...(snapshot?.endpoints.values() ?? [])].map((slot) => endpointHealth(slot, failing)),
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

export function endpointHealth(
  { state, plan, isCurrent, failure }: EndpointSlot,
  failing: (endpoint: string) => Failing | undefined,
): EndpointHealth {
  const { name } = state;
  const wanted = versionsOf(routedArms(state), state);
  const served = plan === undefined ? [] : versionsOf(plan.arms, plan.state);
  const nowMs = performance.now();
  const breakers = plan?.arms.flatMap(({ guard }) => guard?.told(nowMs) ?? []) ?? [];
  const as = (state: EndpointHealth['state'], reason: string | null): EndpointHealth => ({
    endpoint: name,
    state,
    wanted,
    served,
    reason,
    sinceMicros: failure?.sinceMicros ?? null,
    retryMicros: failure?.retryMicros ?? null,
    ...(breakers.length === 0 ? {} : { breakers }),
  });
  if (wanted.length === 0) return as('empty', null);
  const requests = failing(name);
  if (requests !== undefined)
    return { ...as('failed', `every request fails: ${requests.reason}`), sinceMicros: requests.sinceMicros };
  // Answers are by what is wanted; a shadow may be away.
  if (isCurrent) return as('serving', failure === undefined ? null : failure.error.message);
  const reason = failure === undefined ? 'it is being loaded' : failure.error.message;
  return as(served.length > 0 ? 'stale' : 'failed', reason);
}

/** Of each variant, and those that experiments alone have. */
function versionsOf(
  arms: readonly { readonly name: string; readonly version: number }[],
  { variants }: Pick<EndpointState, 'variants'>,
): number[] {
  const own = arms
    .filter(({ name }) => variants.some((variant) => variant.name === name))
    .map(({ version }) => version);
  return [...own, ...new Set(arms.map(({ version }) => version).filter((version) => !own.includes(version)))];
}

// The control plane: which traffic endpoints have, and whether this server answers.

import { messageOf, toHeadraceError } from '../core/index.ts';
import type { Definitions } from '../definitions/index.ts';
import type { IngestionStatus } from '../ingestion/index.ts';
import {
  type EndpointState,
  readTrafficWaits,
  type Registry,
  type SetTraffic,
  type Traffic,
  type TrafficRevision,
  trafficWaitsFor,
} from '../registry/index.ts';
import type { Catalogue } from './catalogue.ts';
import type { DefinitionsHealth, EndpointHealth } from './definitions-health.ts';
import type { FlagPlan } from './flags/flag.ts';
import type { Snapshots } from './open-snapshots.ts';

export interface ControlPlane {
  endpoints(): Promise<readonly ServedEndpoint[]>;
  /** Throws HR_UNKNOWN_ENDPOINT. */
  endpoint(name: string): Promise<ServedEndpoint>;
  /**
   * As the registry's: its `change` says whether the traffic is active yet. Then this server answers by it, and so does every
   * other that `waitsFor` does not name, where that is known.
   */
  setTraffic(name: string, traffic: Traffic, options: SetTraffic): Promise<ServedEndpoint>;
  /** What became of a revision of the traffic. Throws HR_UNKNOWN_ENDPOINT, HR_UNKNOWN_REVISION. */
  trafficRevision(name: string, revision: number): Promise<TrafficRevision>;
  /**
   * Whether requests can be answered: definitions are loaded (where there are plain models, or none are applied), the server
   * is not stopping, every endpoint with traffic had something to serve once, and the store had something of what runs filled
   * once.
   */
  readiness(): Readiness;
  /** What is served by. Throws HR_NOTHING_APPLIED. */
  definitions(): Definitions;
  /** What is there to ask, with its columns. Throws HR_NOTHING_APPLIED, HR_NOT_LOADED. */
  catalogue(): Catalogue;
  /** Of what this server answers by, all that decides who gets which arm. Throws HR_NOTHING_APPLIED, HR_NOT_LOADED. */
  flagPlans(): readonly FlagPlan[];
  ingestionStatus(): IngestionStatus;
  /** Looks for changes of the registry now instead of at the next tick. */
  refresh(): Promise<void>;
}

/** An endpoint by the registry, and what the servers make of it. */
export interface ServedEndpoint {
  readonly state: EndpointState;
  /**
   * Live servers that have yet to load the change that is being prepared, or to answer by the traffic that is active. Null where
   * traffic was set, and the registry could not tell them after that.
   */
  readonly waitsFor: readonly string[] | null;
  /** Of this server; undefined until it has heard of the endpoint. */
  readonly health: EndpointHealth | undefined;
}

export interface Readiness {
  readonly isReady: boolean;
  readonly reason: string;
  readonly health: DefinitionsHealth;
}

export interface ControlPlaneParts {
  readonly registry: Registry;
  readonly snapshots: Snapshots;
  readonly ingestionStatus: () => IngestionStatus;
  readonly isDraining: () => boolean;
  /** Whether there are models that are served without definitions. */
  readonly hasPlainModels: () => boolean;
}

export function createControlPlane(parts: ControlPlaneParts): ControlPlane {
  const { registry, snapshots, ingestionStatus, isDraining, hasPlainModels } = parts;
  let hasBeenReady = false;

  const health = (): DefinitionsHealth => snapshots.health();
  const served = (state: EndpointState, waitsFor: readonly string[] | null): ServedEndpoint => ({
    state,
    waitsFor,
    health: health().endpoints.find(({ endpoint }) => endpoint === state.name),
  });

  return {
    async endpoints() {
      const states = await registry.endpoints.list();
      const servers = await registry.servers.list();
      return states.map((state) => served(state, trafficWaitsFor(state, servers)));
    },
    async endpoint(name) {
      const state = await registry.endpoints.get(name);
      return served(state, trafficWaitsFor(state, await registry.servers.list()));
    },
    async setTraffic(name, traffic, options) {
      const state = await registry.endpoints.setTraffic(name, traffic, options);
      // A look that began before would not see it; whatever that says, the traffic is set.
      await snapshots.catchUp().catch(() => undefined);
      return served(state, await readTrafficWaits(state, registry.servers));
    },
    trafficRevision: (name, revision) => registry.endpoints.trafficRevision(name, revision),
    readiness() {
      const told = health();
      if (isDraining()) return { isReady: false, reason: 'stopping', health: told };
      try {
        snapshots.definitions();
      } catch (thrown) {
        const isAll = toHeadraceError(thrown).code === 'HR_NOTHING_APPLIED' && hasPlainModels();
        return { isReady: isAll, reason: isAll ? 'ready' : messageOf(thrown), health: told };
      }
      const { otherStore } = told;
      const missing = told.endpoints.filter(({ wanted, served }) => wanted.length > 0 && served.length === 0);
      // Neither a version that can't be loaded later nor a store that is emptied must take servers from their balancer. A store
      // that has not answered yet counts as the right one: an outage of it would keep every server that starts away.
      hasBeenReady ||= otherStore === null && missing.length === 0;
      if (hasBeenReady) return { isReady: true, reason: describeLacking(told), health: told };
      if (otherStore !== null) return { isReady: false, reason: otherStore, health: told };
      const names = missing.map(({ endpoint }) => endpoint).join(', ');
      return { isReady: false, reason: `nothing can be served by ${names}`, health: told };
    },
    definitions: () => snapshots.definitions(),
    catalogue: () => snapshots.catalogue(),
    flagPlans: () => snapshots.plans(),
    ingestionStatus,
    refresh: () => snapshots.refresh(),
  };
}

/** What of a server that is ready does not answer as it should. */
function describeLacking({ endpoints }: DefinitionsHealth): string {
  const lacking = endpoints.filter(({ state }) => state === 'failed' || state === 'stale');
  if (lacking.length === 0) return 'ready';
  return lacking.map(({ endpoint, state, reason }) => `${endpoint} is ${state}: ${reason}`).join('; ');
}

// Builds what is served from what the registry says, and swaps it in whole. What can't be built leaves what was there; a
// model is unloaded only when the last request that holds it has ended.

import { HeadraceError, messageOf } from '../core/index.ts';
import type { Definitions } from '../definitions/index.ts';
import type { ModelStatistics, Monitor } from '../monitoring/index.ts';
import { type PreparedTraffic, readableVersions, type ServiceState } from '../registry/index.ts';
import { createEndpointLoads, type EndpointSlot } from './endpoint-loads.ts';
import type { EndpointPlan } from './endpoint-plan.ts';
import type { ReadPlan } from './features/read-plan.ts';
import { createKeptVersions, type KeptVersions } from './kept-versions.ts';
import type { ServedBy, Snapshot, SnapshotFailure } from './snapshot.ts';
import { type ArmDeps, createWantedEndpoints } from './wanted-endpoints.ts';

export interface SnapshotLoader {
  /** Undefined until something was loaded, and once closed. */
  current(): Snapshot | undefined;
  /** Undefined while what is applied is loaded. */
  failure(): SnapshotFailure | undefined;
  /** Swaps in what is applied; traffic is followed even where that can't be loaded. Throws why it can't. */
  load(look: Look): Promise<void>;
  /** Whether a further load may find more without any change of the registry. */
  isLacking(): boolean;
  /** Versions that readers may not take yet. */
  waiting: KeptVersions['waiting'];
  /** Starts what is due to be tried again. */
  retry(): void;
  /** Where each change of traffic that is asked for is loaded, or can't be. */
  prepared(): Readonly<Record<string, PreparedTraffic>>;
  /** What the models behind the endpoints have counted, and those that were until now: each once. */
  modelStatistics(): readonly ModelStatistics[];
  /** Resolves once nothing is being loaded, or after so long. */
  settled(limitMs: number): Promise<void>;
  /** Requests may come: from now on no load may block the event loop. */
  open(): void;
  close(): Promise<void>;
}

/** One look at the registry. */
export interface Look {
  /** The registry's change token. */
  readonly token: number;
  /** Something of the registry changed, so what failed may succeed now. */
  readonly isFresh: boolean;
  /** Nobody waits for it any more: what it finds is not taken. */
  isAbandoned(): boolean;
}

/** What loads quickly is served at the end of the look that met it. */
const QUICK_LOAD_MS = 500;

const TOLD: Readonly<Record<ServiceState, string>> = {
  current: 'service has moved',
  waiting: 'service is served by earlier definitions until a run has filled what it reads',
  unfilled: 'no run has filled what the service reads: it answers with what there is',
  unserved: 'service is not served: what it reads is not filled, and no earlier definitions can answer',
};

/** `onPlan`: an endpoint answers by another plan, or by none. */
export function createSnapshotLoader(deps: ArmDeps, onPlan: (endpoint: string) => void): SnapshotLoader {
  const { registry, logger, definitionsOf, earlierDefinitions } = deps;
  const kept = createKeptVersions(registry, earlierDefinitions);
  let current: Snapshot | undefined;
  let failure: SnapshotFailure | undefined;
  let isOpen = false;
  let slots: ReadonlyMap<string, EndpointSlot> = new Map();
  const endpoints = createWantedEndpoints(deps, () => !isOpen);
  const loads = createEndpointLoads({
    logger,
    nowMicros: () => deps.clock.nowMicros(),
    onChange() {
      const before = slots;
      slots = loads.slots();
      for (const [name, { plan }] of slots) {
        if (before.get(name)?.plan === plan) continue;
        onPlan(name);
        if (plan === undefined) continue;
        const sentence = plan.state.variants.length === 0 ? 'endpoint has no traffic yet' : 'endpoint is served';
        logger.info(describePlan(plan), sentence);
      }
      if (current !== undefined) current = { ...current, endpoints: slots };
    },
  });

  const loadServices = async (definitions: Definitions): Promise<ReadonlyMap<string, ServedBy>> => {
    const loaded = new Map<string, ServedBy>();
    for (const one of await registry.versions.servedServices()) {
      const isCurrent = one.manifestHash === definitions.hash;
      const own = isCurrent ? definitions : await earlierDefinitions(one.manifestHash);
      loaded.set(one.service, { ...one, definitions: own });
    }
    return loaded;
  };

  const keptServicePlans = (services: ReadonlyMap<string, ServedBy>): Map<string, ReadPlan> => {
    const plans = [...(current?.servicePlans ?? [])].filter(([name]) => {
      const [before, now] = [current?.services.get(name), services.get(name)];
      return now !== undefined && now.definitions === before?.definitions && now.state !== 'unserved';
    });
    return new Map(plans);
  };

  const tellOfServices = (services: ReadonlyMap<string, ServedBy>): void => {
    for (const { service, revision, waitsFor, state } of services.values()) {
      const before = current?.services.get(service);
      if (before !== undefined && before.revision === revision && before.waitsFor.join() === waitsFor.join()) continue;
      if (waitsFor.length > 0) logger.warn({ service, revision, waitsFor }, TOLD[state]);
      else if ((before?.waitsFor.length ?? 0) > 0) logger.info({ service, revision }, TOLD.current);
    }
  };

  const build = async ({ hash, revision }: Applied, look: Look): Promise<Snapshot> => {
    const definitions = current?.definitions.hash === hash ? current.definitions : await definitionsOf(hash);
    const { versions, rows } = await kept.load(definitions);
    const services = await loadServices(definitions);
    const states = await registry.endpoints.list();
    refuseAbandoned(look);
    const isReadable = readableVersions(rows);
    loads.want(endpoints.wanted(definitions, states, isReadable), look.isFresh);
    await loads.settled(QUICK_LOAD_MS);
    refuseAbandoned(look);
    tellOfServices(services);
    const servicePlans = keptServicePlans(services);
    const complete = new Set(versions.filter((_, at) => rows[at]?.completedMicros !== null));
    return {
      revision,
      definitions,
      versions,
      complete,
      endpoints: loads.slots(),
      services,
      servicePlans,
      referencePlans: new Map(),
      isReadable,
    };
  };

  /** By the definitions that are loaded: a change of traffic, a rollback above all, waits for no others. */
  const followTraffic = async (look: Look): Promise<void> => {
    if (current === undefined) return;
    const { definitions } = current;
    const { rows } = await kept.load(definitions);
    const states = await registry.endpoints.list();
    refuseAbandoned(look);
    loads.want(endpoints.wanted(definitions, states, readableVersions(rows)), look.isFresh);
    await loads.settled(QUICK_LOAD_MS);
  };

  const fail = ({ revision }: Applied, thrown: unknown): void => {
    const error = messageOf(thrown);
    if (failure?.error !== error)
      logger.error({ revision, reason: error }, 'what is applied could not be loaded; trying again');
    failure = { revision, error, thrown };
  };

  return {
    current: () => current,
    failure: () => failure,
    async load(look) {
      const applied = await registry.definitions.current();
      if (applied === undefined) return;
      try {
        current = await build(applied, look);
        countFromStart(deps.monitor, current.definitions);
      } catch (thrown) {
        if (look.isAbandoned()) throw thrown;
        fail(applied, thrown);
        await followTraffic(look);
        throw thrown;
      }
      failure = undefined;
      const fields = { change: look.token, endpoints: current.endpoints.size, revision: current.revision };
      logger.info(fields, 'read what the registry says');
    },
    isLacking: () => failure !== undefined || kept.isPartial(),
    waiting: () => (current === undefined ? [] : kept.waiting()),
    retry: () => loads.retry(),
    prepared: () => loads.prepared(),
    modelStatistics: () => endpoints.modelStatistics(),
    settled: (limitMs) => loads.settled(limitMs),
    open() {
      isOpen = true;
    },
    async close() {
      current = undefined;
      await loads.close();
    },
  };
}

/** What it answers by from now on, and who wanted it so. */
function describePlan({ state, arms }: EndpointPlan): object {
  const { name, revision, variants, change } = state;
  const traffic = variants.map((variant) => `${variant.name}=${variant.version}:${variant.weight}`).join(' ');
  const { actor, reason } = change?.revision === revision ? change : { actor: undefined, reason: null };
  return {
    endpoint: name,
    revision,
    traffic,
    versions: arms.map(({ version }) => version),
    ...(actor === undefined ? {} : { actor }),
    ...(reason === null ? {} : { reason }),
  };
}

interface Applied {
  readonly hash: string;
  readonly revision: number;
}

/** So that the first failure of each is a step from 0. */
function countFromStart(monitor: Monitor, { manifest }: Definitions): void {
  for (const name of Object.keys(manifest.services)) monitor.service(name);
  for (const name of Object.keys(manifest.endpoints)) monitor.endpoint(name);
}

function refuseAbandoned(look: Look): void {
  if (look.isAbandoned()) throw new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the registry took too long');
}

// What is served right now, swapped whole when the registry changes or an endpoint is loaded: a request keeps the plan it
// started with, and a model is unloaded only when the last request that holds it has ended.

import { didYouMeanOf, HeadraceError, messageOf } from '../core/index.ts';
import { type Definitions, type LiveVersion, resolveService } from '../definitions/index.ts';
import { readableVersions, type ServedService, type ServiceState, versionIncomplete } from '../registry/index.ts';
import { type Catalogue, catalogueOf } from './catalogue.ts';
import { type DefinitionsHealth, definitionsHealth } from './definitions-health.ts';
import { createEndpointLoads, type EndpointSlot } from './endpoint-loads.ts';
import type { EndpointPlan } from './endpoint-plan.ts';
import { compileReadPlan, type ReadPlan } from './features/read-plan.ts';
import type { ModelStatistics } from '../monitoring/index.ts';
import { createKeptVersions } from './kept-versions.ts';
import { createRedactionCheck } from './redaction-check.ts';
import type { ServingDeps } from './serving-deps.ts';
import type { Failing } from './request-truth.ts';
import { createSelfReport } from './self-report.ts';
import { createStoreCheck } from './store-check.ts';
import { createWantedEndpoints } from './wanted-endpoints.ts';

export interface Snapshots {
  /** Throws HR_NOTHING_APPLIED while nothing was applied. */
  definitions(): Definitions;
  /** Every version of a view that is kept. Throws HR_NOTHING_APPLIED. */
  versions(): readonly LiveVersion[];
  /** Throws HR_UNKNOWN_ENDPOINT, HR_MODEL_NOT_READY (no variant could be loaded). */
  endpoint(name: string): EndpointPlan;
  /** What the models that are used have counted, and those that were until now: each once. */
  modelStatistics(): readonly ModelStatistics[];
  /** Whether the definitions have it, served or not. */
  isEndpoint(name: string): boolean;
  isService(name: string): boolean;
  /** For reading features; compiled when first asked for. Throws HR_UNKNOWN_SERVICE, HR_VERSION_INCOMPLETE. */
  service(name: string): ReadPlan;
  /** What is there to ask. Throws HR_NOTHING_APPLIED. */
  catalogue(): Catalogue;
  /** What of the definitions is served, and what not and why. `failing`: which endpoints fail at every request. */
  health(failing: (endpoint: string) => Failing | undefined): DefinitionsHealth;
  /** Looks whether anything changed, and swaps when it did. Never throws: what fails stays as it was and is logged. */
  refresh(): Promise<void>;
  /** A look that begins now; throws what it does. */
  catchUp(): Promise<void>;
  close(): Promise<void>;
}

export interface Snapshot {
  readonly revision: number;
  readonly definitions: Definitions;
  readonly versions: readonly LiveVersion[];
  /** Those of them that the registry says are complete. */
  readonly complete: ReadonlySet<LiveVersion>;
  readonly endpoints: ReadonlyMap<string, EndpointSlot>;
  /** By which definitions each service is served. */
  readonly services: ReadonlyMap<string, ServedBy>;
  readonly servicePlans: Map<string, ReadPlan>;
}

export interface ServedBy extends ServedService {
  readonly definitions: Definitions;
}

const CHECK_EVERY_MS = 1000;
/** Definitions that could not be loaded are tried again after this, then after twice as long each time, up to a minute. */
const RETRY_MS = 1000;
const MOST_RETRY_MS = 60_000;
/** What loads quickly is served at the end of the look that met it; before the first answer there is more time. */
const QUICK_LOAD_MS = 500;
const FIRST_LOAD_MS = 30_000;
/** A registry or a store that says nothing must not keep the next look away. */
const LOOK_LIMIT_MS = 5000;

const TOLD: Readonly<Record<ServiceState, string>> = {
  current: 'service has moved',
  waiting: 'service is served by earlier definitions until a run has filled what it reads',
  unfilled: 'no run has filled what the service reads: it answers with what there is',
  unserved: 'service is not served: what it reads is not filled, and no earlier definitions can answer',
};

export async function openSnapshots(deps: ServingDeps): Promise<Snapshots> {
  const { registry, store, directory, logger, definitionsOf, earlierDefinitions } = deps;
  const kept = createKeptVersions(registry, earlierDefinitions);
  const report = createSelfReport(deps);
  const storeCheck = createStoreCheck({ ...deps, runs: deps.ingestion.runs });
  const redactionCheck = createRedactionCheck(deps.redact, logger);
  let seenToken = -1;
  let current: Snapshot | undefined;
  /** Why what is applied is not loaded. */
  let failure: { readonly revision: number; readonly error: string; readonly thrown: unknown } | undefined;
  let retryAt = 0;
  let retryMs = RETRY_MS;
  let refreshing: Promise<void> | undefined;
  let lastCheck = -Infinity;
  /** Requests may come. */
  let isOpen = false;
  /** Numbers the looks: what an abandoned one still finds is not taken. */
  let looks = 0;

  const planService = (snapshot: Snapshot, name: string): ReadPlan => {
    let plan = snapshot.servicePlans.get(name);
    if (plan === undefined) {
      const served = snapshot.services.get(name);
      if (served?.state === 'unserved') throw versionIncomplete(`service "${name}"`, served.waitsFor);
      const definitions = served?.definitions ?? snapshot.definitions;
      const service = resolveService(definitions.manifest, name);
      plan = compileReadPlan(definitions, service, store, directory);
      snapshot.servicePlans.set(name, plan);
    }
    return plan;
  };

  const loadServices = async (definitions: Definitions): Promise<ReadonlyMap<string, ServedBy>> => {
    const served = await registry.versions.servedServices();
    const loaded = new Map<string, ServedBy>();
    for (const one of served) {
      const isCurrent = one.manifestHash === definitions.hash;
      loaded.set(one.service, {
        ...one,
        definitions: isCurrent ? definitions : await earlierDefinitions(one.manifestHash),
      });
    }
    return loaded;
  };

  const build = async (
    applied: { readonly hash: string; readonly revision: number },
    look: number,
    isFresh: boolean,
  ): Promise<Snapshot> => {
    const { hash, revision } = applied;
    const definitions = current?.definitions.hash === hash ? current.definitions : await definitionsOf(hash);
    const { versions, rows } = await kept.load(definitions);
    const services = await loadServices(definitions);
    const states = await registry.endpoints.list();
    if (look !== looks) throw new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the registry took too long');
    loads.want(endpoints.wanted(definitions, states, readableVersions(rows)), isFresh);
    await loads.settled(QUICK_LOAD_MS);
    tellOfServices(services);
    const servicePlans = keptServicePlans(services);
    const complete = new Set(versions.filter((_, at) => rows[at]?.completedMicros !== null));
    const slots = loads.slots();
    return { revision, definitions, versions, complete, endpoints: slots, services, servicePlans };
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
      if (waitsFor.length > 0) {
        logger.warn({ service, revision, waitsFor }, TOLD[state]);
      } else if ((before?.waitsFor.length ?? 0) > 0) logger.info({ service, revision }, TOLD.current);
    }
  };

  const endpoints = createWantedEndpoints(deps, () => !isOpen);
  const loads = createEndpointLoads({
    logger,
    nowMicros: () => deps.clock.nowMicros(),
    onChange() {
      if (current !== undefined) current = { ...current, endpoints: loads.slots() };
    },
  });

  /** By the definitions that are loaded: a change of traffic, a rollback above all, waits for no others. */
  const followTraffic = async (isFresh: boolean): Promise<void> => {
    if (current === undefined) return;
    const { definitions } = current;
    const { rows } = await kept.load(definitions);
    loads.want(endpoints.wanted(definitions, await registry.endpoints.list(), readableVersions(rows)), isFresh);
    await loads.settled(QUICK_LOAD_MS);
  };

  const loadApplied = async (token: number, look: number, isFresh: boolean): Promise<void> => {
    const applied = await registry.definitions.current();
    if (applied === undefined) return;
    try {
      current = await build(applied, look, isFresh);
      failure = undefined;
      const fields = { change: token, endpoints: current.endpoints.size, revision: current.revision };
      logger.info(fields, 'serving what the registry says');
    } catch (thrown) {
      if (look !== looks) throw thrown;
      const error = messageOf(thrown);
      if (failure?.error !== error)
        logger.error(
          { revision: applied.revision, reason: error },
          'what is applied could not be loaded; trying again',
        );
      failure = { revision: applied.revision, error, thrown };
      await followTraffic(isFresh);
      throw thrown;
    }
  };

  const isLacking = (): boolean => failure !== undefined || kept.isPartial();

  /** What changed, and what could not be loaded when it did. */
  const loadChanges = async (look: number): Promise<void> => {
    loads.retry();
    const token = await registry.changeToken();
    const isFresh = token !== seenToken;
    if (isFresh) retryMs = RETRY_MS;
    else if (!isLacking()) return;
    else if (performance.now() < retryAt) {
      if (failure !== undefined) throw failure.thrown;
      return;
    }
    try {
      await loadApplied(token, look, isFresh);
      seenToken = token;
      retryAt = performance.now() + retryMs;
      retryMs = Math.min(2 * retryMs, MOST_RETRY_MS);
    } catch (thrown) {
      // Whoever mends the code waits for it: every second.
      retryAt = performance.now() + RETRY_MS;
      if (failure !== undefined) seenToken = token;
      throw thrown;
    }
  };

  /** Versions that are being filled may be complete by now. */
  const checkWaiting = async (): Promise<void> => {
    const waiting = current === undefined ? [] : kept.waiting();
    if (waiting.length === 0 || performance.now() - lastCheck < CHECK_EVERY_MS) return;
    lastCheck = performance.now();
    await deps.completeVersions(waiting);
  };

  /** Traffic that this server has loaded, or failed to, may be active now, or never. */
  const settleTraffic = async (look: number): Promise<void> => {
    const preparing = [...(current?.endpoints.values() ?? [])].filter(
      ({ state }) => state.change?.state === 'preparing',
    );
    if (preparing.length === 0) return;
    const settled = await Promise.all(preparing.map(({ state }) => registry.endpoints.settleTraffic(state.name)));
    if (settled.every(({ change }) => change?.state === 'preparing')) return;
    await loadChanges(look);
    await report.tell(current, failure?.error ?? null, loads.prepared());
  };

  const lookOnce = async (): Promise<void> => {
    const look = ++looks;
    try {
      await loadChanges(look);
    } finally {
      // Whatever can't be loaded: others have to hear of it, and that this server is there.
      if (look === looks) await report.tell(current, failure?.error ?? null, loads.prepared());
    }
    await settleTraffic(look);
    await directory.refresh();
  };

  const look = (): Promise<void> => within(lookOnce(), LOOK_LIMIT_MS);

  let toldOf = '';
  const refresh = (): Promise<void> => {
    refreshing ??= look()
      .then(checkWaiting)
      .then(() => redactionCheck.look(current))
      .then(() => storeCheck.look(current))
      .then(
        () => (toldOf = ''),
        (thrown: unknown) => {
          if (toldOf !== messageOf(thrown)) logger.error({ reason: messageOf(thrown) }, 'could not look for changes');
          toldOf = messageOf(thrown);
        },
      )
      .then(() => (refreshing = undefined));
    return refreshing;
  };

  const need = (): Snapshot => {
    if (current !== undefined) return current;
    if (failure !== undefined) {
      throw new HeadraceError('HR_NOT_LOADED', `revision ${failure.revision} could not be loaded: ${failure.error}`);
    }
    throw new HeadraceError('HR_NOTHING_APPLIED', 'nothing is applied yet. Run `headrace apply` first.');
  };

  await refresh();
  await loads.settled(FIRST_LOAD_MS);
  redactionCheck.look(current);
  isOpen = true;
  return {
    definitions: () => need().definitions,
    versions: () => need().versions,
    endpoint(name) {
      const snapshot = need();
      const slot = snapshot.endpoints.get(name);
      if (slot?.plan !== undefined) return slot.plan;
      if (slot !== undefined) {
        const { error } = slot.failure ?? {};
        const reason = error === undefined ? 'it is being loaded' : error.message;
        throw new HeadraceError('HR_MODEL_NOT_READY', `endpoint "${name}" is not served: ${reason}`, { cause: error });
      }
      const known = Object.keys(snapshot.definitions.manifest.endpoints);
      throw new HeadraceError(
        'HR_UNKNOWN_ENDPOINT',
        `there is no endpoint "${name}".${didYouMeanOf('endpoints', name, known)}`,
      );
    },
    modelStatistics: () => endpoints.modelStatistics(),
    isEndpoint: (name) => Object.hasOwn(current?.definitions.manifest.endpoints ?? {}, name),
    isService: (name) => Object.hasOwn(current?.definitions.manifest.services ?? {}, name),
    service: (name) => planService(need(), name),
    catalogue: () => catalogueOf(need()),
    health: (failing) => definitionsHealth(current, failure, storeCheck.health(), failing),
    async catchUp() {
      while (refreshing !== undefined) await refreshing;
      const looking = look();
      // Others that come meanwhile wait for it.
      refreshing = looking.catch(() => undefined).then(() => (refreshing = undefined));
      await looking;
    },
    refresh,
    async close() {
      await refreshing;
      await report.leave();
      current = undefined;
      await loads.close();
    },
  };
}

/** What `work` gives; throws HR_STORAGE_UNAVAILABLE when that takes too long. What it then gives is dropped. */
async function within<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new HeadraceError('HR_STORAGE_UNAVAILABLE', `nothing came within ${limitMs / 1000} s; looking again`));
    }, limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

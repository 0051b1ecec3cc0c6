// What is served right now, swapped whole when the registry changes: a request keeps the plan it started with, and a
// model is unloaded only when the last request that holds it has ended.

import { didYouMeanOf, HeadraceError, messageOf } from '../core/index.ts';
import { type Definitions, type LiveVersion, resolveService } from '../definitions/index.ts';
import {
  type EndpointState,
  readableVersions,
  type ServedService,
  type ServiceState,
  versionIncomplete,
} from '../registry/index.ts';
import { type Catalogue, catalogueOf } from './catalogue.ts';
import { type DefinitionsHealth, definitionsHealth } from './definitions-health.ts';
import { compileEndpoint, type EndpointPlan } from './endpoint-plan.ts';
import { compileFeaturePlan, type FeaturePlan } from './feature-plan.ts';
import { createKeptVersions } from './kept-versions.ts';
import { createServedModels } from './served-models.ts';
import type { ServingDeps } from './serving-deps.ts';
import { createSelfReport } from './self-report.ts';
import { createStoreCheck } from './store-check.ts';

export interface Snapshots {
  /** Throws HR_NOTHING_APPLIED while nothing was applied. */
  definitions(): Definitions;
  /** Every version of a view that is kept. Throws HR_NOTHING_APPLIED. */
  versions(): readonly LiveVersion[];
  /** Throws HR_UNKNOWN_ENDPOINT, HR_MODEL_NOT_READY (no variant could be loaded). */
  endpoint(name: string): EndpointPlan;
  endpoints(): readonly EndpointPlan[];
  /** For reading features; compiled when first asked for. Throws HR_UNKNOWN_SERVICE, HR_VERSION_INCOMPLETE. */
  service(name: string): FeaturePlan;
  /** What is there to ask. Throws HR_NOTHING_APPLIED. */
  catalogue(): Catalogue;
  /** What of the definitions is served, and what not and why. */
  health(): DefinitionsHealth;
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
  readonly states: readonly EndpointState[];
  readonly endpoints: ReadonlyMap<string, EndpointPlan>;
  readonly failures: ReadonlyMap<string, HeadraceError>;
  /** By which definitions each service is served. */
  readonly services: ReadonlyMap<string, ServedBy>;
  readonly servicePlans: Map<string, FeaturePlan>;
}

export interface ServedBy extends ServedService {
  readonly definitions: Definitions;
}

const CHECK_EVERY_MS = 1000;
/** What could not be loaded is tried again after this, then after twice as long each time, up to a minute. */
const RETRY_MS = 1000;
const MOST_RETRY_MS = 60_000;

const TOLD: Readonly<Record<ServiceState, string>> = {
  current: 'service has moved',
  waiting: 'service is served by earlier definitions until a run has filled what it reads',
  unfilled: 'no run has filled what the service reads: it answers with what there is',
  unserved: 'service is not served: what it reads is not filled, and no earlier definitions can answer',
};

export async function openSnapshots(deps: ServingDeps): Promise<Snapshots> {
  const { registry, store, directory, logger, definitionsOf, earlierDefinitions } = deps;
  const models = createServedModels(deps);
  const kept = createKeptVersions(registry, earlierDefinitions);
  const report = createSelfReport(deps);
  const storeCheck = createStoreCheck({ ...deps, runs: deps.ingestion.runs });
  let seenToken = -1;
  let current: Snapshot | undefined;
  /** Why what is applied is not loaded. */
  let failure: { readonly revision: number; readonly error: string; readonly thrown: unknown } | undefined;
  let retryAt = 0;
  let retryMs = RETRY_MS;
  let refreshing: Promise<void> | undefined;
  let lastCheck = -Infinity;

  const planService = (snapshot: Snapshot, name: string): FeaturePlan => {
    let plan = snapshot.servicePlans.get(name);
    if (plan === undefined) {
      const served = snapshot.services.get(name);
      if (served?.state === 'unserved') throw versionIncomplete(`service "${name}"`, served.waitsFor);
      const definitions = served?.definitions ?? snapshot.definitions;
      const service = resolveService(definitions.manifest, name);
      plan = compileFeaturePlan(definitions, service, store, directory, 'rows');
      snapshot.servicePlans.set(name, plan);
    }
    return plan;
  };

  // A plan is kept when nothing that it was compiled from has changed; one that stands in for what failed is not.
  const planEndpoint = async (
    definitions: Definitions,
    state: EndpointState,
    isReadable: (version: string) => boolean,
  ): Promise<EndpointPlan | undefined> => {
    const before = current?.endpoints.get(state.name);
    const isSame = current?.definitions === definitions && before?.state.revision === state.revision;
    const stoodIn = current?.failures.has(state.name) ?? false;
    if (before !== undefined && isSame && !stoodIn) return before;
    const spec = definitions.manifest.endpoints[state.name];
    const model = spec === undefined ? undefined : definitions.manifest.models[spec.model];
    if (spec === undefined || model === undefined) return undefined;
    const planFeatures = (own: Definitions, service: FeaturePlan['service']) =>
      compileFeaturePlan(own, service, store, directory, 'inputs');
    const { monitor } = deps;
    return compileEndpoint({ state, spec, model, definitions, isReadable, models, monitor, planFeatures });
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

  const build = async (applied: { readonly hash: string; readonly revision: number }): Promise<Snapshot> => {
    const { hash, revision } = applied;
    const definitions = current?.definitions.hash === hash ? current.definitions : await definitionsOf(hash);
    const { versions, rows } = await kept.load(definitions);
    const services = await loadServices(definitions);
    const states = await registry.endpoints.list();
    const endpoints = new Map<string, EndpointPlan>();
    const failures = new Map<string, HeadraceError>();
    const isReadable = readableVersions(rows);
    for (const state of states) {
      try {
        const plan = await planEndpoint(definitions, state, isReadable);
        if (plan !== undefined) endpoints.set(state.name, plan);
      } catch (thrown) {
        const error =
          thrown instanceof HeadraceError
            ? thrown
            : new HeadraceError('HR_INTERNAL', String(thrown), { cause: thrown });
        failures.set(state.name, error);
        if (current?.failures.get(state.name)?.message !== error.message) {
          const fields = { endpoint: state.name, code: error.code, reason: error.message };
          logger.error(fields, 'endpoint keeps what it served before');
        }
        const before = current?.endpoints.get(state.name);
        if (before !== undefined) endpoints.set(state.name, before);
      }
    }
    tellOfServices(services);
    const servicePlans = keptServicePlans(services);
    const complete = new Set(versions.filter((_, at) => rows[at]?.completedMicros !== null));
    return { revision, definitions, versions, complete, states, endpoints, failures, services, servicePlans };
  };

  const keptServicePlans = (services: ReadonlyMap<string, ServedBy>): Map<string, FeaturePlan> => {
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

  const swap = (next: Snapshot, token: number): void => {
    const before = current;
    current = next;
    for (const [name, plan] of before?.endpoints ?? []) {
      if (next.endpoints.get(name) === plan) continue;
      plan
        .retire()
        .catch((thrown: unknown) =>
          logger.error({ endpoint: name, reason: String(thrown) }, 'old models could not be unloaded'),
        );
    }
    const { revision, endpoints } = next;
    logger.info({ change: token, endpoints: endpoints.size, revision }, 'serving what the registry says');
  };

  const loadApplied = async (token: number): Promise<void> => {
    const applied = await registry.definitions.current();
    if (applied === undefined) return;
    try {
      swap(await build(applied), token);
      failure = undefined;
    } catch (thrown) {
      const error = messageOf(thrown);
      if (failure?.error !== error)
        logger.error(
          { revision: applied.revision, reason: error },
          'what is applied could not be loaded; trying again',
        );
      failure = { revision: applied.revision, error, thrown };
      throw thrown;
    }
  };

  const isLacking = (): boolean => failure !== undefined || (current?.failures.size ?? 0) > 0 || kept.isPartial();

  /** What changed, and what could not be loaded when it did. */
  const loadChanges = async (): Promise<void> => {
    const token = await registry.changeToken();
    if (token !== seenToken) retryMs = RETRY_MS;
    else if (!isLacking()) return;
    else if (performance.now() < retryAt) {
      if (failure !== undefined) throw failure.thrown;
      return;
    }
    try {
      await loadApplied(token);
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

  const look = async (): Promise<void> => {
    try {
      await loadChanges();
    } finally {
      // Whatever can't be loaded: others have to hear of it, and that this server is there.
      await report.tell(current, failure?.error ?? null);
    }
    await directory.refresh();
  };

  let toldOf = '';
  const refresh = (): Promise<void> => {
    refreshing ??= look()
      .then(checkWaiting)
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
  return {
    definitions: () => need().definitions,
    versions: () => need().versions,
    endpoint(name) {
      const snapshot = need();
      const plan = snapshot.endpoints.get(name);
      if (plan !== undefined) return plan;
      const failed = snapshot.failures.get(name);
      if (failed !== undefined)
        throw new HeadraceError('HR_MODEL_NOT_READY', `endpoint "${name}" is not served: ${failed.message}`, {
          cause: failed,
        });
      const known = Object.keys(snapshot.definitions.manifest.endpoints);
      throw new HeadraceError(
        'HR_UNKNOWN_ENDPOINT',
        `there is no endpoint "${name}".${didYouMeanOf('endpoints', name, known)}`,
      );
    },
    endpoints: () => [...(current?.endpoints.values() ?? [])],
    service: (name) => planService(need(), name),
    catalogue: () => catalogueOf(need()),
    health: () => definitionsHealth(current, failure, storeCheck.health()),
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
      for (const plan of current?.endpoints.values() ?? []) await plan.retire();
      current = undefined;
    },
  };
}

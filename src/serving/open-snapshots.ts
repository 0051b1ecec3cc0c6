// What is served right now, by name: loaded from the registry, and kept up to date until the end.

import { didYouMeanOf, HeadraceError } from '../core/index.ts';
import { type Definitions, type EndpointSpec, type LiveVersion, resolveService } from '../definitions/index.ts';
import type { ModelStatistics } from '../monitoring/index.ts';
import { versionIncomplete } from '../registry/index.ts';
import { type Catalogue, catalogueOf } from './catalogue.ts';
import { type DefinitionsHealth, definitionsHealth } from './definitions-health.ts';
import type { EndpointPlan } from './endpoint-plan.ts';
import { compileReadPlan, type ReadPlan } from './features/read-plan.ts';
import { planReferences } from './features/reference-plans.ts';
import { createRegistryWatch } from './registry-watch.ts';
import type { RequestTruths } from './request-truths.ts';
import type { Snapshot } from './snapshot.ts';
import { createSnapshotLoader } from './snapshot-loader.ts';
import type { ArmDeps } from './wanted-endpoints.ts';

export interface Snapshots {
  /** Whether anything that was applied is loaded: else what follows throws HR_NOTHING_APPLIED, or HR_NOT_LOADED. */
  isLoaded(): boolean;
  /** Throws HR_NOTHING_APPLIED while nothing was applied. */
  definitions(): Definitions;
  /** Every version of a view that is kept. Throws HR_NOTHING_APPLIED. */
  versions(): readonly LiveVersion[];
  /** Throws HR_UNKNOWN_ENDPOINT, HR_MODEL_NOT_READY (no variant could be loaded). */
  endpoint(name: string): EndpointPlan;
  /** Of each endpoint that has one, by name. Throws HR_NOTHING_APPLIED. */
  plans(): readonly EndpointPlan[];
  /** What the models that are used have counted, and those that were until now: each once. */
  modelStatistics(): readonly ModelStatistics[];
  /** Throws HR_UNKNOWN_ENDPOINT where there is none, served or not; HR_NOTHING_APPLIED. */
  needEndpoint(name: string): EndpointSpec;
  /** Whether the definitions have it, served or not. */
  isEndpoint(name: string): boolean;
  isService(name: string): boolean;
  /** For reading features; compiled when first asked for. Throws HR_UNKNOWN_SERVICE, HR_VERSION_INCOMPLETE. */
  service(name: string): ReadPlan;
  /** Of features named one by one, `view:feature`. Throws as `planReferences`. */
  references(references: readonly string[]): ReadPlan;
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

/** Before the first answer there is time to load. */
export const FIRST_LOAD_MS = 30_000;

/** `truths`: which endpoints fail at every request. */
export async function openSnapshots(
  deps: ArmDeps,
  truths: Pick<RequestTruths, 'failing' | 'begin'>,
): Promise<Snapshots> {
  const { store, directory } = deps;
  const loader = createSnapshotLoader(deps, (endpoint) => truths.begin(endpoint));
  const watch = createRegistryWatch(deps, loader, truths.failing);

  const need = (): Snapshot => {
    const current = loader.current();
    if (current !== undefined) return current;
    const failure = loader.failure();
    if (failure !== undefined) {
      throw new HeadraceError('HR_NOT_LOADED', `revision ${failure.revision} could not be loaded: ${failure.error}`);
    }
    throw new HeadraceError('HR_NOTHING_APPLIED', 'nothing is applied yet. Run `headrace apply` first.');
  };

  const planService = (snapshot: Snapshot, name: string): ReadPlan => {
    let plan = snapshot.servicePlans.get(name);
    if (plan === undefined) {
      const served = snapshot.services.get(name);
      if (served?.state === 'unserved') throw versionIncomplete(`service "${name}"`, served.waitsFor);
      const definitions = served?.definitions ?? snapshot.definitions;
      plan = compileReadPlan(definitions, resolveService(definitions.manifest, name), store, directory);
      snapshot.servicePlans.set(name, plan);
    }
    return plan;
  };

  await watch.refresh();
  await loader.settled(FIRST_LOAD_MS);
  loader.open();
  return {
    isLoaded: () => loader.current() !== undefined,
    definitions: () => need().definitions,
    versions: () => need().versions,
    endpoint(name) {
      const snapshot = need();
      const slot = snapshot.endpoints.get(name);
      if (slot?.plan !== undefined) return slot.plan;
      if (slot === undefined) throw unknownEndpoint(snapshot, name);
      const { error } = slot.failure ?? {};
      const reason = error === undefined ? 'it is being loaded' : error.message;
      throw new HeadraceError('HR_MODEL_NOT_READY', `endpoint "${name}" is not served: ${reason}`, { cause: error });
    },
    plans: () => [...need().endpoints.values()].flatMap(({ plan }) => plan ?? []),
    modelStatistics: () => loader.modelStatistics(),
    needEndpoint(name) {
      const snapshot = need();
      const { endpoints } = snapshot.definitions.manifest;
      const spec = Object.hasOwn(endpoints, name) ? endpoints[name] : undefined;
      if (spec === undefined) throw unknownEndpoint(snapshot, name);
      return spec;
    },
    isEndpoint: (name) => Object.hasOwn(loader.current()?.definitions.manifest.endpoints ?? {}, name),
    isService: (name) => Object.hasOwn(loader.current()?.definitions.manifest.services ?? {}, name),
    service: (name) => planService(need(), name),
    references: (references) =>
      planReferences(need(), references, (definitions, service) =>
        compileReadPlan(definitions, service, store, directory),
      ),
    catalogue: () => catalogueOf(need()),
    health: () => definitionsHealth(loader.current(), loader.failure(), watch.storeHealth(), truths.failing),
    refresh: watch.refresh,
    catchUp: watch.catchUp,
    async close() {
      await watch.close();
      await loader.close();
    },
  };
}

function unknownEndpoint({ definitions }: Snapshot, name: string): HeadraceError {
  const known = Object.keys(definitions.manifest.endpoints);
  const sentence = `there is no endpoint "${name}".${didYouMeanOf('endpoints', name, known)}`;
  return new HeadraceError('HR_UNKNOWN_ENDPOINT', sentence);
}

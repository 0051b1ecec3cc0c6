// What is served right now, swapped whole when the registry changes: a request keeps the plan it started with, and a
// model is unloaded only when the last request that holds it has ended.

import { didYouMeanOf, HeadraceError, messageOf } from '../core/index.ts';
import { type Definitions, resolveService } from '../definitions/index.ts';
import type { EndpointState } from '../registry/index.ts';
import { compileEndpoint, type EndpointPlan } from './endpoint-plan.ts';
import { compileFeaturePlan, type FeaturePlan } from './feature-plan.ts';
import { createServedModels } from './served-models.ts';
import type { ServingDeps } from './serving-deps.ts';

export interface Snapshots {
  /** Throws HR_NOTHING_APPLIED while nothing was applied. */
  definitions(): Definitions;
  /** Throws HR_UNKNOWN_ENDPOINT, HR_MODEL_NOT_READY (no variant could be loaded). */
  endpoint(name: string): EndpointPlan;
  endpoints(): readonly EndpointPlan[];
  /** For reading features; compiled when first asked for. Throws HR_UNKNOWN_SERVICE. */
  service(name: string): FeaturePlan;
  /** Looks whether anything changed, and swaps when it did. Never throws: what fails stays as it was and is logged. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

interface Snapshot {
  readonly definitions: Definitions;
  readonly endpoints: ReadonlyMap<string, EndpointPlan>;
  readonly failures: ReadonlyMap<string, HeadraceError>;
  readonly services: Map<string, FeaturePlan>;
}

export async function openSnapshots(deps: ServingDeps): Promise<Snapshots> {
  const { registry, store, directory, logger } = deps;
  const models = createServedModels(registry, deps.objects, deps.runtime, logger);
  let seenToken = -1;
  let current: Snapshot | undefined;
  let refreshing: Promise<void> | undefined;
  let toldOfCode = '';

  const servicePlan = (definitions: Definitions, services: Map<string, FeaturePlan>, name: string) => {
    let plan = services.get(name);
    if (plan === undefined) {
      const service = resolveService(definitions.manifest, name);
      services.set(name, (plan = compileFeaturePlan(definitions, service, store, directory, 'rows')));
    }
    return plan;
  };

  // A plan is kept when nothing that it was compiled from has changed.
  const planEndpoint = async (definitions: Definitions, state: EndpointState) => {
    const before = current?.endpoints.get(state.name);
    if (before !== undefined && current?.definitions === definitions && before.state.revision === state.revision)
      return before;
    const spec = definitions.manifest.endpoints[state.name];
    const model = spec === undefined ? undefined : definitions.manifest.models[spec.model];
    if (spec === undefined || model === undefined) return undefined;
    return compileEndpoint({
      state,
      spec,
      model,
      models,
      monitor: deps.monitor,
      manifest: definitions.manifest,
      planFeatures: (service) => compileFeaturePlan(definitions, service, store, directory, 'inputs'),
    });
  };

  const build = async (definitions: Definitions): Promise<Snapshot> => {
    const services = current?.definitions === definitions ? current.services : new Map<string, FeaturePlan>();
    const endpoints = new Map<string, EndpointPlan>();
    const failures = new Map<string, HeadraceError>();
    for (const state of await registry.endpoints.list()) {
      try {
        const plan = await planEndpoint(definitions, state);
        if (plan !== undefined) endpoints.set(state.name, plan);
      } catch (thrown) {
        const error =
          thrown instanceof HeadraceError
            ? thrown
            : new HeadraceError('HR_INTERNAL', String(thrown), { cause: thrown });
        failures.set(state.name, error);
        logger.error(
          { endpoint: state.name, code: error.code, reason: error.message },
          'endpoint keeps what it served before',
        );
        const before = current?.endpoints.get(state.name);
        if (before !== undefined) endpoints.set(state.name, before);
      }
    }
    return { definitions, endpoints, failures, services };
  };

  const currentDefinitions = async (): Promise<Definitions | undefined> => {
    const applied = await registry.definitions.current();
    if (applied === undefined || applied.hash === current?.definitions.hash) return current?.definitions;
    const loaded = await deps.loadDefinitions();
    if (loaded.hash === applied.hash) return loaded;
    if (toldOfCode !== applied.hash) {
      toldOfCode = applied.hash;
      logger.warn(
        { revision: applied.revision },
        'the feature repository on disk is not what was applied; serving goes on with what it had',
      );
    }
    return current?.definitions;
  };

  const look = async (): Promise<void> => {
    const token = await registry.changeToken();
    if (token !== seenToken) {
      const definitions = await currentDefinitions();
      if (definitions !== undefined) {
        const next = await build(definitions);
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
        logger.info(
          { change: token, endpoints: next.endpoints.size, revision: definitions.hash.slice(0, 12) },
          'serving what the registry says',
        );
      }
      seenToken = token;
    }
    await directory.refresh();
  };

  const refresh = (): Promise<void> => {
    refreshing ??= look()
      .catch((thrown: unknown) => logger.error({ reason: messageOf(thrown) }, 'could not look for changes'))
      .finally(() => (refreshing = undefined));
    return refreshing;
  };

  const need = (): Snapshot => {
    if (current === undefined)
      throw new HeadraceError('HR_NOTHING_APPLIED', 'nothing is applied yet. Run `headrace apply` first.');
    return current;
  };

  await refresh();
  return {
    definitions: () => need().definitions,
    endpoint(name) {
      const snapshot = need();
      const plan = snapshot.endpoints.get(name);
      if (plan !== undefined) return plan;
      const failure = snapshot.failures.get(name);
      if (failure !== undefined)
        throw new HeadraceError('HR_MODEL_NOT_READY', `endpoint "${name}" is not served: ${failure.message}`, {
          cause: failure,
        });
      const known = Object.keys(snapshot.definitions.manifest.endpoints);
      throw new HeadraceError(
        'HR_UNKNOWN_ENDPOINT',
        `there is no endpoint "${name}".${didYouMeanOf('endpoints', name, known)}`,
      );
    },
    endpoints: () => [...(current?.endpoints.values() ?? [])],
    service: (name) => servicePlan(need().definitions, need().services, name),
    refresh,
    async close() {
      await refreshing;
      for (const plan of current?.endpoints.values() ?? []) await plan.retire();
      current = undefined;
    },
  };
}

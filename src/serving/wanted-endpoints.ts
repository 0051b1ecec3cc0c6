// What endpoints are to serve by the registry: each with how its plan is compiled, now and for traffic that is asked for.

import type { Definitions } from '../definitions/index.ts';
import type { ModelStatistics } from '../monitoring/index.ts';
import type { EndpointState } from '../registry/index.ts';
import type { Breakers } from './breakers.ts';
import type { WantedEndpoint } from './endpoint-loads.ts';
import { compileEndpoint } from './endpoint-plan.ts';
import { compileFeaturePlan } from './feature-plan.ts';
import { createServedModels } from './served-models.ts';
import type { ResponseCaches } from './response-cache/response-caches.ts';
import type { ServingDeps } from './serving-deps.ts';
import type { Shadows } from './shadow/open-shadows.ts';

/** What arms are made of. */
export interface ArmDeps extends ServingDeps {
  readonly breakers: Breakers;
  readonly shadows: Shadows;
  readonly caches: ResponseCaches;
}

export interface WantedEndpoints {
  /** Those that `definitions` define. `isReadable`: whether readers may take a view version. */
  wanted(
    definitions: Definitions,
    states: readonly EndpointState[],
    isReadable: (version: string) => boolean,
  ): readonly WantedEndpoint[];
  /** What the models behind them have counted. */
  modelStatistics(): readonly ModelStatistics[];
}

/** `mayBlock`: whether nobody waits for the event loop yet. */
export function createWantedEndpoints(deps: ArmDeps, mayBlock: () => boolean): WantedEndpoints {
  const { store, directory, monitor, predictionLog, minutes, isUnwatched, breakers, limits } = deps;
  const models = createServedModels(deps, mayBlock);
  // What is tried again is tried by what is readable then.
  let readable: (version: string) => boolean = () => false;

  const wantedOf = (definitions: Definitions, state: EndpointState): WantedEndpoint[] => {
    const spec = definitions.manifest.endpoints[state.name];
    const model = spec === undefined ? undefined : definitions.manifest.models[spec.model];
    if (spec === undefined || model === undefined) return [];
    const of = (traffic: EndpointState): Pick<WantedEndpoint, 'id' | 'compile'> => ({
      id: `${definitions.hash} ${traffic.revision}`,
      compile: (options) =>
        compileEndpoint(
          {
            state: traffic,
            spec,
            model,
            definitions,
            isReadable: (version) => readable(version),
            models,
            monitor,
            predictionLog,
            breakers,
            shadows: deps.shadows,
            caches: deps.caches,
            requestTimeoutMs: limits.requestTimeoutMs,
            minutes,
            isUnwatched,
            planFeatures: (own, service) => compileFeaturePlan(own, service, store, directory, 'inputs'),
          },
          options,
        ),
    });
    const { change } = state;
    if (change?.state !== 'preparing') return [{ state, ...of(state), next: undefined }];
    const { revision, variants, shadows, experiments } = change;
    const asked: EndpointState = { ...state, revision, variants, shadows, experiments, etag: `"r${revision}"` };
    return [{ state, ...of(state), next: { revision, ...of(asked) } }];
  };

  return {
    modelStatistics: () => models.statistics(),
    wanted(definitions, states, isReadable) {
      readable = isReadable;
      minutes.setRollouts(states.flatMap(({ name, rollout }) => (rollout === null ? [] : [name])));
      return states.flatMap((state) => wantedOf(definitions, state));
    },
  };
}

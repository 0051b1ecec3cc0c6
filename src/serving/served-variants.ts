// The variants of an endpoint with their models: all of them, or those that can be had.

import { type HeadraceError, toHeadraceError } from '../core/index.ts';
import type { Definitions, EndpointSpec, ModelSpec, ResolvedService } from '../definitions/index.ts';
import type { MinuteCollector, Monitor, PredictionLog } from '../monitoring/index.ts';
import type { EndpointState } from '../registry/index.ts';
import type { RoutedArm } from '../rollouts/index.ts';
import type { Breakers } from './breakers.ts';
import type { FeaturePlan } from './feature-plan.ts';
import type { ResponseCaches } from './response-cache/response-caches.ts';
import type { Shadows } from './shadow/open-shadows.ts';
import type { ServedModel, ServedModels } from './served-models.ts';

export interface CompileEndpoint {
  readonly state: EndpointState;
  readonly spec: EndpointSpec;
  /** As the applied definitions have it. */
  readonly model: ModelSpec;
  readonly definitions: Definitions;
  /** Whether readers may take a view version. */
  readonly isReadable: (version: string) => boolean;
  readonly planFeatures: (definitions: Definitions, service: ResolvedService) => FeaturePlan;
  readonly models: ServedModels;
  readonly monitor: Monitor;
  readonly predictionLog: PredictionLog;
  readonly breakers: Breakers;
  readonly shadows: Shadows;
  readonly caches: ResponseCaches;
  /** Of a request that names none. */
  readonly requestTimeoutMs: number;
  readonly minutes: MinuteCollector;
  readonly isUnwatched: boolean;
}

/** A variant, or an arm of an experiment, whose model is loaded. */
export interface ServedVariant {
  /** Of the traffic's arms. */
  readonly place: number;
  readonly variant: RoutedArm;
  /** Shared by those of one version. */
  readonly model: ServedModel;
}

export interface ServedVariants {
  readonly served: readonly ServedVariant[];
  /** Each loaded once; whoever has them releases them. */
  readonly models: readonly ServedModel[];
  readonly lacking: HeadraceError | undefined;
}

/** Throws what loading throws, with nothing left loaded. `arms`: by place. `mayLack`: as `CompileOptions`. */
export async function loadVariants(
  { model, isReadable, models }: Pick<CompileEndpoint, 'model' | 'isReadable' | 'models'>,
  arms: readonly RoutedArm[],
  mayLack: boolean,
): Promise<ServedVariants> {
  const loaded = new Map<number, ServedModel>();
  let lacking: HeadraceError | undefined;
  for (const version of new Set(arms.map((arm) => arm.version))) {
    try {
      loaded.set(version, await models.acquire(model, version, isReadable));
    } catch (thrown) {
      lacking ??= toHeadraceError(thrown);
      if (!mayLack) break;
    }
  }
  if (lacking !== undefined && (!mayLack || loaded.size === 0)) {
    for (const one of loaded.values()) one.release();
    throw lacking;
  }
  const served = arms.flatMap((variant, place): ServedVariant[] => {
    const own = loaded.get(variant.version);
    return own === undefined ? [] : [{ place, variant, model: own }];
  });
  return { served, models: [...loaded.values()], lacking };
}

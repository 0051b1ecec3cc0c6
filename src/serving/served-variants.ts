// The variants of an endpoint with their models: all of them, or those that can be had.

import { type HeadraceError, toHeadraceError } from '../core/index.ts';
import type { Definitions, EndpointSpec, ModelSpec, ResolvedService } from '../definitions/index.ts';
import type { Monitor, PredictionLog } from '../monitoring/index.ts';
import type { EndpointState, Variant } from '../registry/index.ts';
import type { Breakers } from './breakers.ts';
import type { FeaturePlan } from './feature-plan.ts';
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
  /** Of a request that names none. */
  readonly requestTimeoutMs: number;
}

/** A variant whose model is loaded. */
export interface ServedVariant {
  readonly variant: Variant;
  readonly model: ServedModel;
}

export interface ServedVariants {
  readonly served: readonly ServedVariant[];
  readonly lacking: HeadraceError | undefined;
}

/** Throws what loading throws, with nothing left loaded. `mayLack`: as `CompileOptions`. */
export async function loadVariants(
  { state, model, isReadable, models }: CompileEndpoint,
  mayLack: boolean,
): Promise<ServedVariants> {
  const served: ServedVariant[] = [];
  let lacking: HeadraceError | undefined;
  for (const variant of state.variants) {
    try {
      served.push({ variant, model: await models.acquire(model, variant.version, isReadable) });
    } catch (thrown) {
      lacking ??= toHeadraceError(thrown);
      if (!mayLack) break;
    }
  }
  if (lacking !== undefined && (!mayLack || served.length === 0)) {
    for (const one of served) one.model.release();
    throw lacking;
  }
  return { served, lacking };
}

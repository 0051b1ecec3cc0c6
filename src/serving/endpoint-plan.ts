// An endpoint compiled for predicting: its features, its variants' models, and the texts of its answers, all looked up
// beforehand. Plans never change; a change makes a new one, and the old one goes when its last request has ended.

import { canonicalJson, type Value } from '../core/index.ts';
import {
  type EndpointSpec,
  type Manifest,
  type ModelSpec,
  type ResolvedService,
  resolveService,
} from '../definitions/index.ts';
import type { Monitor, Recorder } from '../monitoring/index.ts';
import type { EndpointState } from '../registry/index.ts';
import type { FeaturePlan } from './feature-plan.ts';
import { compileObjectWriter, compilePlainTextWriter } from './json-writer.ts';
import type { RequestRow } from './row-parser.ts';
import type { ServedModel, ServedModels } from './served-models.ts';

export interface VariantPlan {
  readonly name: string;
  readonly version: number;
  readonly weight: number;
  readonly model: ServedModel;
  /** The endpoint's own, unless the version was registered with other features. */
  readonly features: FeaturePlan;
  readonly write: FeatureWriters;
  readonly recorder: Recorder;
  /** `,"model":…,"version":…,"variant":…` as it stands in every answer. */
  readonly answerPart: string;
}

export interface FeatureWriters {
  readonly features: (values: readonly Value[]) => string;
  readonly statuses: (statuses: readonly string[]) => string;
}

export interface EndpointPlan {
  readonly state: EndpointState;
  readonly spec: EndpointSpec;
  readonly model: ModelSpec;
  readonly features: FeaturePlan;
  readonly variants: readonly VariantPlan[];
  /** The values that stick a row to its variant, as texts. */
  unitOf(row: RequestRow): string[];
  readonly recorder: Recorder;
  readonly writeOutputs: (values: readonly Value[]) => string;
  /** `{"endpoint":…,"predictions":[` */
  readonly answerStart: string;
  /** Requests that hold the plan. */
  inFlight: number;
  retire(): Promise<void>;
}

export interface CompileEndpoint {
  readonly state: EndpointState;
  readonly spec: EndpointSpec;
  readonly model: ModelSpec;
  readonly manifest: Manifest;
  readonly planFeatures: (service: ResolvedService) => FeaturePlan;
  readonly models: ServedModels;
  readonly monitor: Monitor;
}

/** Loads every variant's model. Throws what loading throws, with nothing left loaded. */
export async function compileEndpoint(given: CompileEndpoint): Promise<EndpointPlan> {
  const { state, spec, model, manifest, planFeatures, models, monitor } = given;
  const features = planFeatures(resolveService(manifest, model.service));
  const variants: VariantPlan[] = [];
  try {
    for (const variant of state.variants) {
      const answerPart = `,"model":${JSON.stringify(model.name)},"version":${variant.version},"variant":${JSON.stringify(variant.name)}`;
      const served = await models.acquire(manifest, model, variant.version);
      const own = isSameService(served.service, features.service) ? features : planFeatures(served.service);
      const recorder = monitor.variant(
        state.name,
        variant.name,
        own.service.features.map((feature) => feature.name),
      );
      variants.push({ ...variant, answerPart, model: served, features: own, write: compileWriters(own), recorder });
    }
  } catch (thrown) {
    for (const variant of variants) await models.release(variant.model);
    throw thrown;
  }
  const plan: EndpointPlan = {
    state,
    spec,
    model,
    features,
    variants,
    unitOf: compileUnit(spec, features),
    recorder: monitor.endpoint(state.name),
    writeOutputs: compileObjectWriter(model.outputs),
    answerStart: `{"endpoint":${JSON.stringify(state.name)},"predictions":[`,
    inFlight: 0,
    async retire() {
      while (plan.inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      for (const variant of variants) await models.release(variant.model);
    },
  };
  return plan;
}

function compileWriters({ service }: FeaturePlan): FeatureWriters {
  return {
    features: compileObjectWriter(service.features),
    statuses: compilePlainTextWriter(service.features.map((feature) => feature.name)),
  };
}

function isSameService(a: ResolvedService, b: ResolvedService): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

function compileUnit(spec: EndpointSpec, features: FeaturePlan): (row: RequestRow) => string[] {
  const positions = spec.unit.map((column) => features.service.requestColumns.findIndex(({ name }) => name === column));
  return (row) => positions.map((at) => unitText(row[at] ?? null));
}

// The same text for the same value, whatever type holds it: 7 and 7n are one unit.
function unitText(value: Value): string {
  return value === null
    ? ''
    : typeof value === 'string'
      ? value
      : value instanceof Uint8Array
        ? Buffer.from(value).toString('base64')
        : String(value);
}

// An endpoint compiled for predicting: its features, its variants' models, and the texts of its answers, all looked up
// beforehand. Plans never change; a change makes a new one, and the old one goes when its last request has ended.

import { canonicalJson, type Field, HeadraceError, sameType, typeName, type Value } from '../core/index.ts';
import {
  type Definitions,
  type EndpointSpec,
  type ModelSpec,
  type ResolvedService,
  resolveService,
} from '../definitions/index.ts';
import type { ArmMeter, Monitor, EndpointMeter } from '../monitoring/index.ts';
import { type EndpointState, versionsRead } from '../registry/index.ts';
import type { FeaturePlan } from './feature-plan.ts';
import { compileObjectWriter, compilePlainTextWriter } from './json-writer.ts';
import { compileRowParser, type RequestRow, type RowParser } from './row-parser.ts';
import type { ServedModel, ServedModels } from './served-models.ts';

export interface VariantPlan {
  readonly name: string;
  readonly version: number;
  readonly weight: number;
  readonly model: ServedModel;
  /** Of the definitions that the version was trained on; shared by variants that read alike. */
  readonly features: FeaturePlan;
  readonly write: FeatureWriters;
  readonly writeOutputs: (values: readonly Value[]) => string;
  readonly meter: ArmMeter;
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
  /** What a row carries: the columns of all variants, each once. */
  readonly requestColumns: readonly Field[];
  readonly parseRow: RowParser;
  readonly variants: readonly VariantPlan[];
  /** The view versions that its variants read. */
  readonly versions: readonly string[];
  /** The values that stick a row to its variant, as texts. */
  unitOf(row: RequestRow): string[];
  readonly meter: EndpointMeter;
  /** `{"endpoint":…,"predictions":[` */
  readonly answerStart: string;
  /** Requests that hold the plan. */
  inFlight: number;
  retire(): Promise<void>;
}

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
}

/** Loads every variant's model. Throws what loading throws, with nothing left loaded. */
export async function compileEndpoint(given: CompileEndpoint): Promise<EndpointPlan> {
  const { state, spec, model, definitions, isReadable, models, monitor } = given;
  const served: ServedModel[] = [];
  try {
    for (const { version } of state.variants) served.push(await models.acquire(model, version, isReadable));
    const current = resolveService(definitions.manifest, model.service);
    const requestColumns = uniteColumns(
      served.map(({ service }, at) => ({ service, version: state.variants[at]?.version as number })),
      current,
      spec.unit,
    );
    const variants = compileVariants(given, served, requestColumns);
    const plan: EndpointPlan = {
      state,
      spec,
      model,
      requestColumns,
      parseRow: compileRowParser(requestColumns, 'inputs'),
      variants,
      versions: [...new Set(served.flatMap((one) => versionsRead(one.definitions.manifest, one.service.name)))],
      unitOf: compileUnit(spec, requestColumns),
      meter: monitor.endpoint(state.name),
      answerStart: `{"endpoint":${JSON.stringify(state.name)},"predictions":[`,
      inFlight: 0,
      async retire() {
        while (plan.inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 20));
        for (const one of served) await models.release(one);
      },
    };
    return plan;
  } catch (thrown) {
    for (const one of served) await models.release(one);
    throw thrown;
  }
}

function compileVariants(
  { state, model, planFeatures, monitor }: CompileEndpoint,
  served: readonly ServedModel[],
  requestColumns: readonly Field[],
): VariantPlan[] {
  const plans = new Map<string, FeaturePlan>();
  return state.variants.map((variant, at): VariantPlan => {
    const own = served[at] as ServedModel;
    const { definitions, service } = own;
    const id = canonicalJson([versionsRead(definitions.manifest, service.name), service]);
    const features = plans.get(id) ?? planFeatures(definitions, { ...service, requestColumns });
    plans.set(id, features);
    return {
      ...variant,
      model: own,
      features,
      write: compileWriters(features),
      writeOutputs: compileObjectWriter(own.spec.outputs),
      meter: monitor.arm({
        endpoint: state.name,
        variant: variant.name,
        model: model.name,
        version: variant.version,
        arm: `${definitions.hash}/${variant.version}`,
        features: service.features.map((feature) => feature.name),
      }),
      answerPart: `,"model":${JSON.stringify(model.name)},"version":${variant.version},"variant":${JSON.stringify(variant.name)}`,
    };
  });
}

/** What variants ask for, in their order, and what the unit is of; without a variant what the definitions ask for. */
function uniteColumns(
  served: readonly { readonly service: ResolvedService; readonly version: number }[],
  current: ResolvedService,
  unit: readonly string[],
): readonly Field[] {
  if (served.length === 0) return current.requestColumns;
  const united = new Map<string, { readonly field: Field; readonly version: number }>();
  for (const { service, version } of served) {
    for (const field of service.requestColumns) {
      const known = united.get(field.name);
      if (known === undefined) united.set(field.name, { field, version });
      else if (!sameType(known.field.type, field.type)) {
        const [one, other] = [typeName(known.field.type), typeName(field.type)];
        throw new HeadraceError(
          'HR_MODEL_SIGNATURE',
          `versions ${known.version} and ${version} can't share traffic: request column "${field.name}" is ${one} for the one and ${other} for the other.`,
        );
      }
    }
  }
  const forUnit = current.requestColumns.filter(({ name }) => unit.includes(name) && !united.has(name));
  return [...[...united.values()].map(({ field }) => field), ...forUnit];
}

function compileWriters({ service }: FeaturePlan): FeatureWriters {
  return {
    features: compileObjectWriter(service.features),
    statuses: compilePlainTextWriter(service.features.map((feature) => feature.name)),
  };
}

function compileUnit(spec: EndpointSpec, columns: readonly Field[]): (row: RequestRow) => string[] {
  const positions = spec.unit.map((column) => columns.findIndex(({ name }) => name === column));
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

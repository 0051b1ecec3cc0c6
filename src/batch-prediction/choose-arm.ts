// The arm by which a batch is predicted: what a server runs for an endpoint's variant, found in the registry.

import { didYouMean, HeadraceError, type KnownRows } from '../core/index.ts';
import { type Definitions, type ModelSpec, own, type ResolvedService } from '../definitions/index.ts';
import { type ModelVersion, type Registry, versionTakes } from '../registry/index.ts';
import { routedArms } from '../rollouts/index.ts';
import { armIdOf } from '../serving/index.ts';
import type { ObjectStore } from '../storage/index.ts';
import { type ArmGraph, readGraph } from './read-graph.ts';

/** Neither: the endpoint's only variant. */
export interface ArmChoice {
  /** A variant's name, or `experiment/arm`. */
  readonly variant?: string;
  /** A version of the endpoint's model: its number, an alias, or `latest`. Without traffic, too. */
  readonly version?: string;
}

export interface BatchArm {
  readonly endpoint: string;
  readonly model: string;
  readonly version: number;
  /** Null for a version that was chosen by itself. */
  readonly variant: string | null;
  /** The arm's id as on a server. */
  readonly id: string;
  readonly artifact: string;
  readonly spec: ModelSpec;
  readonly service: ResolvedService;
  /** What is known of the version's rows. */
  readonly rows?: KnownRows | undefined;
  /** Those that the version was trained on. */
  readonly definitions: Definitions;
  /** Of a version that is made of others. */
  readonly graph?: ArmGraph;
  /** The training sets that the version was registered with, or its nodes' versions; none where none was named. */
  readonly trainingSets: readonly string[];
}

export interface ArmDeps {
  readonly registry: Registry;
  readonly objects: ObjectStore;
  /** Of the run's own revision, where a run predicts. */
  readonly applied: Definitions;
  readonly definitionsOf: (manifestHash: string) => Promise<Definitions>;
  /** The same where functions may be lost, which nobody asks for. */
  readonly earlierDefinitions: (manifestHash: string) => Promise<Definitions>;
}

/**
 * A version is one of the model that the endpoint has in `applied`. Throws HR_UNKNOWN_ENDPOINT, HR_UNKNOWN_MODEL, HR_USAGE where one
 * must be chosen, HR_MODEL_NOT_READY without a version, HR_CONFLICT where the version is retired, or where the endpoint's traffic is
 * another model's since and no version was named; and of a graph what `readGraph` does.
 */
export async function chooseArm(deps: ArmDeps, endpoint: string, choice: ArmChoice): Promise<BatchArm> {
  const { registry, applied, definitionsOf } = deps;
  const state = await registry.endpoints.get(endpoint);
  const model = own(applied.manifest.endpoints, endpoint)?.model ?? state.model;
  if (model !== state.model && choice.version === undefined) {
    const sentence = `endpoint "${endpoint}" serves model "${state.model}" by now, and these definitions are of an earlier revision, in which it serves model "${model}": name a version of "${model}", or go on by the definitions of now (headrace runs resume)`;
    throw new HeadraceError('HR_CONFLICT', sentence);
  }
  const arms = routedArms(state);
  const { version, variant } = await chosen(registry, model, endpoint, arms, choice);
  if (version.isRetired) {
    const sentence = `version ${version.version} of model "${version.model}" is retired: no server answers by it. Name another (--model-version)`;
    throw new HeadraceError('HR_CONFLICT', sentence);
  }
  const definitions = await definitionsOf(version.manifestHash);
  const { spec, service, rows } = versionTakes(definitions.manifest, version);
  const graph = spec.graph === undefined ? undefined : await readGraph(deps, version.artifact, spec.graph, definitions);
  const { artifact } = version;
  const trainingSets = version.trainingSet === null ? (graph?.trainingSets ?? []) : [version.trainingSet];
  const whenStoreDown = own(applied.manifest.endpoints, endpoint)?.whenStoreDown ?? 'fail';
  return {
    endpoint,
    model: version.model,
    version: version.version,
    variant,
    id: armIdOf({ definitions, service, spec, artifact }, version.version, whenStoreDown),
    artifact,
    spec,
    service,
    rows,
    definitions,
    trainingSets,
    ...(graph === undefined ? {} : { graph }),
  };
}

async function chosen(
  { models }: Registry,
  model: string,
  endpoint: string,
  arms: ReturnType<typeof routedArms>,
  choice: ArmChoice,
): Promise<{ readonly version: ModelVersion; readonly variant: string | null }> {
  if (choice.version !== undefined) return { version: await models.resolve(model, choice.version), variant: null };
  const names = arms.map(({ name }) => name);
  if (choice.variant !== undefined) {
    const arm = arms.find(({ name }) => name === choice.variant);
    if (arm !== undefined) return { version: await models.get(model, arm.version), variant: arm.name };
    const has = names.length === 0 ? ' It has none: register a version of its model.' : ` It has ${names.join(', ')}.`;
    const sentence = `endpoint "${endpoint}" has no variant "${choice.variant}".${didYouMean(choice.variant, names)}${has}`;
    throw new HeadraceError('HR_USAGE', sentence);
  }
  const [only, ...others] = arms.filter(({ weight }) => weight > 0);
  if (only === undefined) {
    const sentence = `endpoint "${endpoint}" has no version to predict by: register one of model "${model}" (headrace models register)`;
    throw new HeadraceError('HR_MODEL_NOT_READY', sentence);
  }
  if (others.length > 0) {
    const sentence = `the traffic of endpoint "${endpoint}" is split over ${names.join(', ')}: name the one to predict by (--variant), or a version (--model-version)`;
    throw new HeadraceError('HR_USAGE', sentence);
  }
  return { version: await models.get(model, only.version), variant: only.name };
}

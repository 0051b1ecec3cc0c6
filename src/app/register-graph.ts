// Registering a version of a model that is made of others: a version of each is pinned, held against what the graph gives it,
// and the whole is run once before anyone can serve it.

import { canonicalJson, didYouMeanOf, HeadraceError } from '../core/index.ts';
import {
  type Definitions,
  featureOrigin,
  type GraphSpec,
  type ModelNodeSpec,
  type ResolvedService,
  resolveService,
} from '../definitions/index.ts';
import type { NodeModel, PinnedModel } from '../models/index.ts';
import type { ModelVersion } from '../registry/index.ts';
import { putBlob } from '../storage/index.ts';
import type { App } from './open-app.ts';
import { openNode } from './open-version.ts';
import { doubtsOf, type RegisteredModel, specToRegister, tryRow } from './register-model.ts';

export interface RegisterGraph {
  readonly model: string;
  /** By name of a model node: `3`, an alias, or `latest`. Left out: the model's `champion`, else its newest. */
  readonly nodes?: Readonly<Record<string, string>>;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly alias?: string;
}

type RegisterDeps = Pick<App, 'applied' | 'earlierDefinitions' | 'registry' | 'objects' | 'environment'>;

/** What is taken where nobody says which version. */
const FIRST_CHOICE = 'champion';

/**
 * The graph pins what is applied. Throws HR_UNKNOWN_MODEL, HR_INVALID (a node that there isn't), HR_MODEL_SIGNATURE (a version
 * that takes or gives something else, or features of another meaning), and what running it once throws; then nothing is kept.
 */
export async function registerGraph(app: RegisterDeps, request: RegisterGraph): Promise<RegisteredModel> {
  const definitions = await app.applied();
  const spec = specToRegister(definitions.manifest, request.model);
  const { graph } = spec;
  if (graph === undefined)
    throw new HeadraceError(
      'HR_INVALID',
      `model "${spec.name}" has no graph. Register its file: \`headrace models register ${spec.name} FILE.onnx\`.`,
    );
  const nodes = graph.nodes.filter((node) => node.kind === 'model');
  refuseUnknownNodes(request, nodes);
  const service = resolveService(definitions.manifest, spec.service);
  const { compileGraph, createOnnxRuntime, withoutTimeouts, writeGraphDocument } = await import('../models/index.ts');
  const runtime = createOnnxRuntime();
  const pinned: Record<string, PinnedModel> = {};
  const models = new Map<string, NodeModel>();
  try {
    for (const node of nodes) {
      const version = await chosenVersion(app, node, request.nodes ?? {});
      const opened = await openNode(app, runtime, version);
      models.set(node.name, opened);
      const trained = { definitions: await app.earlierDefinitions(version.manifestHash), service: opened.service };
      refuseOtherFeatures(node, version, trained, { definitions, service });
      pinned[node.name] = { model: node.model, version: version.version, artifact: version.artifact };
    }
    const whole = compileGraph({ spec: withoutTimeouts(spec), service, definitions, models });
    const tried = await tryRow(whole, service, [], app.environment.actor);
    const functions = functionHashes(graph);
    const artifact = await putBlob(
      await app.objects(),
      writeGraphDocument({ format: 1, kind: 'graph', nodes: pinned, functions }),
    );
    const registered = await (await app.registry()).models.register({
      model: spec.name,
      artifact,
      manifestHash: definitions.hash,
      signature: { inputs: [], outputs: [], nodes: pinned },
      actor: app.environment.actor,
      ...(request.metrics === undefined ? {} : { metrics: request.metrics }),
      ...(request.alias === undefined ? {} : { alias: request.alias }),
    });
    return { ...registered, warnings: doubtsOf(spec, registered, tried) };
  } finally {
    for (const { loaded } of models.values()) await loaded.close();
  }
}

function refuseUnknownNodes({ model, nodes = {} }: RegisterGraph, known: readonly ModelNodeSpec[]): void {
  const names = known.map(({ name }) => name);
  for (const name of Object.keys(nodes)) {
    if (names.includes(name)) continue;
    throw new HeadraceError(
      'HR_INVALID',
      `the graph of model "${model}" has no model node "${name}".${didYouMeanOf('nodes', name, names)}`,
    );
  }
}

async function chosenVersion(
  app: RegisterDeps,
  { name, model }: ModelNodeSpec,
  asked: Readonly<Record<string, string>>,
): Promise<ModelVersion> {
  const { models } = await app.registry();
  const given = Object.hasOwn(asked, name) ? asked[name] : undefined;
  const found =
    given === undefined
      ? ((await models.versions(model)).find(({ aliases }) => aliases.includes(FIRST_CHOICE)) ??
        (await models.resolve(model, 'latest')))
      : await models.resolve(model, given);
  if (found.isRetired)
    throw new HeadraceError('HR_CONFLICT', `node "${name}": version ${found.version} of model "${model}" is retired`);
  if (found.spec?.graph !== undefined)
    throw new HeadraceError(
      'HR_MODEL_SIGNATURE',
      `node "${name}": version ${found.version} of model "${model}" is itself a graph, and graphs stand in no graph. Name another by --node ${name}=VERSION.`,
    );
  return found;
}

interface Takes {
  readonly definitions: Definitions;
  readonly service: ResolvedService;
}

/** A model goes on getting what it was trained on: features of one name may have been defined anew since. */
function refuseOtherFeatures(
  { name, inputs }: ModelNodeSpec,
  { model, version }: ModelVersion,
  trained: Takes,
  graph: Takes,
): void {
  for (const feature of trained.service.features) {
    const from = Object.hasOwn(inputs, feature.name) ? inputs[feature.name] : undefined;
    // What is named otherwise was meant to be another.
    if (from !== undefined) continue;
    const given = graph.service.features.find((one) => one.name === feature.name);
    // That there is none of the name is told with all that the version takes.
    if (given === undefined) continue;
    const [was, is] = [
      featureOrigin(trained.definitions.manifest, trained.service, feature),
      featureOrigin(graph.definitions.manifest, graph.service, given),
    ];
    if (canonicalJson(was) === canonicalJson(is)) continue;
    throw new HeadraceError(
      'HR_MODEL_SIGNATURE',
      `node "${name}": version ${version} of model "${model}" was trained on another "${feature.name}" than what is applied gives. Register a version that was trained on what is applied, or name another by --node ${name}=VERSION.`,
    );
  }
}

function functionHashes({ nodes }: GraphSpec): Record<string, string> {
  return Object.fromEntries(
    nodes.flatMap((node) => ('function' in node ? [[node.function.id, node.function.hash]] : [])),
  );
}

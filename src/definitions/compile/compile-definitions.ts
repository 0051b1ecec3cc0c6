// The compile step: everything a feature repository exports, to one manifest that the rest of the system trusts.

import { contentHash, didYouMean, providersMistake } from '../../core/index.ts';
import type { Authored, AuthoredEndpoint, AuthoredModel } from '../authoring/authored.ts';
import { describeResult } from '../calling/user-value.ts';
import { compileAssignment } from './compile-assignment.ts';
import type { Definitions, EndpointSpec, Manifest, ModelSpec } from '../manifest.ts';
import { own } from '../own.ts';
import { resolveService } from '../resolve-service.ts';
import { collect, type Exported, expectKind } from './collect.ts';
import { compileCache } from './compile-cache.ts';
import { compileExperiment } from './compile-experiment.ts';
import { compileGraphs } from './compile-graph.ts';
import { compileOnDemandView, refuseCycles } from './compile-on-demand.ts';
import { compilePipeline } from './compile-pipeline.ts';
import { compileRollout, refuseSecondPlans } from './compile-rollout.ts';
import { compileService } from './compile-service.ts';
import { compileSource } from './compile-source.ts';
import { compileEntity, compileView } from './compile-view.ts';
import { compileAbout, compileFields, hasNone } from './fields.ts';
import { FunctionTable, type ReferTo, referByText } from './function-table.ts';
import { checkManifest } from './manifest-schema.ts';
import { Mistakes } from './mistakes.ts';
import { identifierMistake, labelMistake, showName } from './names.ts';
import { isTexts } from './plain-data.ts';
import { checkRenames } from './renames.ts';
import { TakenAlong } from './taken-along.ts';

/**
 * Compiles what files export to a manifest. The result depends on neither the order of files nor that of exports.
 * Throws HR_DEFINITION with every mistake at once, each with its file, its object and its fix.
 */
export function compileDefinitions(
  exports: Iterable<Exported>,
  options: {
    readonly project: string;
    readonly directory: string;
    readonly functionRef?: ReferTo;
    readonly mistakes?: Mistakes;
    readonly takenAlong?: TakenAlong;
  },
): Definitions {
  const mistakes = options.mistakes ?? new Mistakes(options.directory);
  const functions = new FunctionTable(options.functionRef ?? referByText);
  const { takenAlong = new TakenAlong() } = options;
  const found = collect(exports, mistakes);

  const kept = new Set<Authored>(Object.values(found).flat());
  const entities = new Map(found.entity.map((entity) => [entity.name, compileEntity(entity, mistakes)]));
  const sources = new Map(found.source.map((source) => [source.name, compileSource(source, functions, mistakes)]));
  const views = new Map(
    found.view.map((view) => {
      const entity = expectKind(view.entity, 'entity', view, 'entity', [1, 'entity'], mistakes);
      const source = expectKind(view.source, 'source', view, 'source', [1, 'source'], mistakes);
      return [
        view.name,
        compileView(view, specOf(entity, entities, kept), specOf(source, sources, kept), mistakes),
      ] as const;
    }),
  );
  checkRenames(found, mistakes);
  const compiled = { entities, views, kept };
  const onDemand = new Map(
    found.onDemandView.map((view) => [
      view.name,
      { object: view, spec: compileOnDemandView(view, compiled, functions, mistakes) },
    ]),
  );
  refuseCycles(onDemand, mistakes);
  const onDemandViews = new Map([...onDemand].map(([name, { spec }]) => [name, spec]));
  const services = new Map(
    found.service.map((service) => [service.name, compileService(service, compiled, onDemandViews, mistakes)]),
  );
  const models = new Map(found.model.map((model) => [model.name, compileModel(model, mistakes)]));
  const pipelines = new Map(
    found.pipeline.map((pipeline) => [pipeline.name, compilePipeline(pipeline, { functions, takenAlong, mistakes })]),
  );
  // An endpoint's unit is checked against its service resolved, which only sound definitions allow.
  mistakes.throwIfAny();

  const flat: Omit<Manifest, 'endpoints'> = {
    format: 1,
    project: options.project,
    entities: Object.fromEntries(entities),
    sources: Object.fromEntries(sources),
    views: Object.fromEntries(views),
    onDemandViews: Object.fromEntries(onDemandViews),
    services: Object.fromEntries(services),
    models: Object.fromEntries(models),
    pipelines: Object.fromEntries(pipelines),
  };
  const parts = { ...flat, models: compileGraphs(found.model, found.node, flat, functions, mistakes) };
  const endpoints = Object.fromEntries(
    found.endpoint.map((endpoint) => [endpoint.name, compileEndpoint(endpoint, parts, mistakes)]),
  );
  const rollouts = new Map(found.rollout.map((rollout) => [rollout.name, compileRollout(rollout, mistakes)]));
  refuseSecondPlans(found.rollout, rollouts, mistakes);
  // Their metrics join endpoints' predictions by units, so those must be sound.
  mistakes.throwIfAny();
  const served: Manifest = { ...parts, endpoints };
  const experiments = found.experiment.map(
    (experiment) => [experiment.name, compileExperiment(experiment, served, mistakes)] as const,
  );
  mistakes.throwIfAny();
  const manifest: Manifest = {
    ...served,
    ...(experiments.length === 0 ? {} : { experiments: Object.fromEntries(experiments) }),
    ...(rollouts.size === 0 ? {} : { rollouts: Object.fromEntries(rollouts) }),
  };
  checkManifest(manifest);
  return {
    manifest,
    hash: contentHash(manifest),
    functions: functions.functions,
    bundles: new Map(),
    directory: options.directory,
  };
}

/** Undefined for an object whose name another has: the spec is the other's. */
function specOf<S>(
  object: (Authored & { readonly name: string }) | undefined,
  specs: ReadonlyMap<string, S>,
  kept: ReadonlySet<Authored>,
): S | undefined {
  return object !== undefined && kept.has(object) ? specs.get(object.name) : undefined;
}

function compileModel(model: AuthoredModel, mistakes: Mistakes): ModelSpec {
  const nameMistake = labelMistake(model.name);
  if (nameMistake !== undefined) mistakes.add(model, nameMistake, [0]);
  const service = expectKind(model.features, 'service', model, 'features', [1, 'features'], mistakes);
  const outputs = compileFields(model.outputs, model, 'output', [1, 'outputs'], identifierMistake, mistakes);
  if (hasNone(model.outputs))
    mistakes.add(model, 'it has no outputs: name them in `outputs: { probability: t.float32() }`', [1, 'outputs']);
  if (!isTexts(model.providers) || model.providers.length === 0)
    mistakes.add(model, "providers must name at least one execution provider: ['cpu']", [1, 'providers']);
  else {
    const mistake = providersMistake(model.providers);
    if (mistake !== undefined) mistakes.add(model, `providers: ${mistake}`, [1, 'providers']);
  }
  return {
    ...compileAbout(model, model.about, [1], mistakes),
    name: model.name,
    service: service?.name ?? '',
    outputs,
    providers: model.providers,
    ...compileBatch(model, mistakes),
  };
}

function compileBatch(model: AuthoredModel, mistakes: Mistakes): Pick<ModelSpec, 'batch'> {
  const { batch, graph } = model;
  if (batch === undefined) return {};
  if (typeof batch !== 'boolean')
    mistakes.add(model, `batch must be true or false, got ${describeResult(batch)}`, [1, 'batch']);
  else if (graph !== undefined)
    mistakes.add(model, 'it is made of others, so batch belongs to the models of its nodes', [1, 'batch']);
  else return { batch };
  return {};
}

function compileEndpoint(
  endpoint: AuthoredEndpoint,
  parts: Omit<Manifest, 'endpoints'>,
  mistakes: Mistakes,
): EndpointSpec {
  const nameMistake = labelMistake(endpoint.name);
  if (nameMistake !== undefined) mistakes.add(endpoint, nameMistake, [0]);
  const model = expectKind(endpoint.model, 'model', endpoint, 'model', [1, 'model'], mistakes);
  const service = model === undefined ? undefined : own(parts.models, model.name)?.service;
  const known =
    service === undefined
      ? []
      : resolveService({ ...parts, endpoints: {} }, service).requestColumns.map((column) => column.name);
  const unit = isTexts(endpoint.unit) ? endpoint.unit : [];
  if (unit !== endpoint.unit)
    mistakes.add(endpoint, `unit must be an array of request columns: ['origin']`, [1, 'unit']);
  for (const [index, column] of unit.entries()) {
    if (service !== undefined && !known.includes(column)) {
      mistakes.add(
        endpoint,
        `unit names ${showName(column)}, which is no request column of service "${service}"; those are ${known.join(', ')}.${didYouMean(column, known)}`,
        [1, 'unit', index],
      );
    }
  }
  if (endpoint.whenStoreDown !== 'fail' && endpoint.whenStoreDown !== 'defaults') {
    mistakes.add(
      endpoint,
      `whenStoreDown must be 'fail' or 'defaults', got ${describeResult(endpoint.whenStoreDown)}`,
      [1, 'whenStoreDown'],
    );
  }
  return {
    ...compileAbout(endpoint, endpoint.about, [1], mistakes),
    name: endpoint.name,
    model: model?.name ?? '',
    unit,
    ...compileAssignment(endpoint, service === undefined ? undefined : known, mistakes),
    whenStoreDown: endpoint.whenStoreDown,
    ...compileCache(endpoint, model === undefined ? undefined : own(parts.models, model.name), mistakes),
  };
}

/** What is wrong with a project name, which stands in keys, paths and URLs; undefined when nothing is. */
export function projectMistake(project: unknown): string | undefined {
  return labelMistake(project);
}

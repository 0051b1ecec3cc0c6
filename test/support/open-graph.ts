// A graph without a registry: its models are opened from their files, and each is version 1.

import {
  compileDefinitions,
  type Definitions,
  type Model,
  type ModelSpec,
  type ResolvedService,
  resolveService,
} from '../../src/definitions/index.ts';
import { compileBinding, compileGraph, createOnnxRuntime, type NodeModel } from '../../src/models/index.ts';

export interface OpenGraph extends ReturnType<typeof compileGraph> {
  readonly spec: ModelSpec;
  readonly service: ResolvedService;
  readonly definitions: Definitions;
  /** By node: the caller's to close. */
  readonly models: ReadonlyMap<string, NodeModel>;
}

/** `fileOf` gives a model's ONNX by its name. */
export async function openGraph(graph: Model, fileOf: (model: string) => Uint8Array): Promise<OpenGraph> {
  const definitions = compileDefinitions([{ file: 'graph.ts', name: 'graph', value: graph }], {
    project: 'test',
    directory: '.',
  });
  const { manifest } = definitions;
  const specOf = (model: string): ModelSpec => manifest.models[model] as ModelSpec;
  const spec = specOf(graph.name);
  const runtime = createOnnxRuntime();
  const models = new Map<string, NodeModel>();
  for (const node of spec.graph?.nodes ?? []) {
    if (node.kind !== 'model') continue;
    const own = specOf(node.model);
    const service = resolveService(manifest, own.service);
    const loaded = await runtime.load(fileOf(node.model), { providers: ['cpu'], mayBlock: true });
    const binding = compileBinding(loaded.signature, service, own);
    models.set(node.name, { version: 1, loaded, binding, service, spec: own });
  }
  const service = resolveService(manifest, spec.service);
  return { ...compileGraph({ spec, service, definitions, models }), spec, service, definitions, models };
}

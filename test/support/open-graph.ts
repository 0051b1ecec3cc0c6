// A graph without a registry: its models are opened from their files, and each is version 1.

import { compileDefinitions, resolveService } from '../../src/definitions/index.ts';
import type { Model, ModelSpec } from '../../src/definitions/index.ts';
import { compileBinding, compileGraph, createOnnxRuntime, type NodeModel } from '../../src/models/index.ts';

export type OpenGraph = Awaited<ReturnType<typeof openGraph>>;

/** `fileOf` gives a model's ONNX by its name; `models`, by node, are the caller's to close. */
export async function openGraph(graph: Model, fileOf: (model: string) => Uint8Array) {
  const given = { file: 'graph.ts', name: 'graph', value: graph };
  const definitions = compileDefinitions([given], { project: 'test', directory: '.' });
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

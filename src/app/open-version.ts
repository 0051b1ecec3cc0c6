// A model's version in memory, for whoever does not serve it: it is evaluated, or tried as part of a graph.

import type { LoadedModel, ModelRuntime, NodeModel, RowModel } from '../models/index.ts';
import { type ModelVersion, pinnedVersion, type VersionTakes, versionTakes } from '../registry/index.ts';
import { getBlob } from '../storage/index.ts';
import type { App } from './open-app.ts';

type OpenDeps = Pick<App, 'definitionsOf' | 'earlierDefinitions' | 'registry' | 'objects'>;

export interface OpenedModel extends RowModel {
  readonly loaded: LoadedModel;
  close(): Promise<void>;
}

/** A file, or all that a graph is made of, whose nodes have all the time that they take. Throws as loading and binding do, and as `pinnedVersion`; then nothing is left open. */
export async function openVersion(app: OpenDeps, runtime: ModelRuntime, version: ModelVersion): Promise<OpenedModel> {
  const { compileGraph, readGraphDocument, withoutTimeouts } = await import('../models/index.ts');
  const definitions = await app.definitionsOf(version.manifestHash);
  const takes = versionTakes(definitions.manifest, version);
  if (takes.spec.graph === undefined) return openFile(app, runtime, version, takes);
  const { nodes } = readGraphDocument(await getBlob(await app.objects(), version.artifact));
  const models = new Map<string, NodeModel & OpenedModel>();
  const close = async (): Promise<void> => {
    for (const one of models.values()) await one.close();
  };
  try {
    const registry = await app.registry();
    for (const [name, pinned] of Object.entries(nodes)) {
      const node = await pinnedVersion(registry, { node: name, ...pinned });
      models.set(name, await openNode(app, runtime, node));
    }
    return { ...compileGraph({ ...takes, spec: withoutTimeouts(takes.spec), definitions, models }), close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** A version that is a file, as a graph's node: what it takes is asked for, and no function of its definitions. */
export async function openNode(
  app: Pick<OpenDeps, 'earlierDefinitions' | 'objects'>,
  runtime: ModelRuntime,
  version: ModelVersion,
): Promise<NodeModel & OpenedModel> {
  const { manifest } = await app.earlierDefinitions(version.manifestHash);
  const takes = versionTakes(manifest, version);
  return { ...takes, ...(await openFile(app, runtime, version, takes)), version: version.version };
}

/** `artifact`: of any file in the store, registered or not. */
export async function openFile(
  app: Pick<App, 'objects'>,
  runtime: ModelRuntime,
  { artifact }: Pick<ModelVersion, 'artifact'>,
  { service, spec, rows }: VersionTakes,
): Promise<OpenedModel> {
  const { compileBinding } = await import('../models/index.ts');
  const onnx = await getBlob(await app.objects(), artifact);
  const loaded = await runtime.load(onnx, { providers: ['cpu'], mayBlock: true, rows });
  try {
    return { loaded, binding: compileBinding(loaded.signature, service, spec), close: () => loaded.close() };
  } catch (thrown) {
    await loaded.close();
    throw thrown;
  }
}

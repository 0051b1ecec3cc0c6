// Model versions in memory, each loaded once whoever serves it, and closed when the last one who does lets go.

import { HeadraceError, type Logger, messageOf } from '../core/index.ts';
import type { Manifest, ModelSpec, ResolvedService } from '../definitions/index.ts';
import { type Binding, checkSignature, type LoadedModel, type ModelRuntime } from '../models/index.ts';
import { type Registry, resolveRegisteredService } from '../registry/index.ts';
import { getBlob, type ObjectStore } from '../storage/index.ts';

export interface ServedModel {
  readonly loaded: LoadedModel;
  readonly binding: Binding;
  /** The features that the version was registered with. */
  readonly service: ResolvedService;
}

export interface ServedModels {
  /** Loads the version, or shares the one in memory. Throws HR_UNKNOWN_MODEL, HR_MODEL_UNREADABLE, HR_MODEL_SIGNATURE. */
  acquire(manifest: Manifest, spec: ModelSpec, version: number): Promise<ServedModel>;
  /** Gives back what `acquire` gave; the last one closes it. */
  release(model: ServedModel): Promise<void>;
}

export function createServedModels(
  registry: Registry,
  objects: ObjectStore,
  runtime: ModelRuntime,
  logger: Logger,
): ServedModels {
  const inMemory = new Map<string, { readonly loading: Promise<LoadedModel>; uses: number }>();
  const artifactOf = new WeakMap<ServedModel, string>();

  const letGo = async (id: string): Promise<void> => {
    const entry = inMemory.get(id);
    if (entry === undefined || --entry.uses > 0) return;
    inMemory.delete(id);
    await (await entry.loading).close();
    logger.info({ artifact: id.slice(0, 12) }, 'model unloaded');
  };

  return {
    async acquire(manifest, spec, version) {
      const { artifact, manifestHash } = await registry.models.get(spec.name, version);
      const registered = (await registry.definitions.byHash(manifestHash)) ?? manifest;
      const service = resolveRegisteredService(manifest, registered, spec.service);
      const id = `${artifact} ${spec.providers.join(',')}`;
      let entry = inMemory.get(id);
      if (entry === undefined) {
        entry = { loading: load(objects, runtime, artifact, spec), uses: 0 };
        inMemory.set(id, entry);
        entry.loading.catch(() => inMemory.delete(id));
      }
      entry.uses++;
      const loaded = await entry.loading;
      try {
        const model: ServedModel = { loaded, service, binding: checkSignature(loaded.signature, service, spec) };
        artifactOf.set(model, id);
        return model;
      } catch (thrown) {
        await letGo(id);
        throw thrown;
      }
    },
    async release(model) {
      const id = artifactOf.get(model);
      artifactOf.delete(model);
      if (id !== undefined) await letGo(id);
    },
  };
}

async function load(
  objects: ObjectStore,
  runtime: ModelRuntime,
  artifact: string,
  spec: ModelSpec,
): Promise<LoadedModel> {
  try {
    return await runtime.load(await getBlob(objects, artifact), { providers: spec.providers });
  } catch (thrown) {
    if (thrown instanceof HeadraceError) throw thrown;
    const message = messageOf(thrown);
    throw new HeadraceError('HR_MODEL_UNREADABLE', `model "${spec.name}" cannot be loaded: ${message}`, {
      cause: thrown,
    });
  }
}

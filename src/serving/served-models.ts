// Model versions in memory, each loaded once whoever serves it, and closed when the last one who does lets go.

import { HeadraceError, type Logger, messageOf } from '../core/index.ts';
import { type Definitions, type ModelSpec, type ResolvedService, resolveService } from '../definitions/index.ts';
import { type Binding, compileBinding, type LoadedModel, type ModelRuntime } from '../models/index.ts';
import { type Registry, versionIncomplete, versionsRead } from '../registry/index.ts';
import { getUnchecked, type ObjectStore } from '../storage/index.ts';

export interface ServedModel {
  readonly loaded: LoadedModel;
  readonly binding: Binding;
  /** Its outputs and providers, as when it was registered. */
  readonly spec: ModelSpec;
  /** The definitions that it was trained on, and the features that it takes of them. */
  readonly definitions: Definitions;
  readonly service: ResolvedService;
  /** SHA-256 of the file. */
  readonly artifact: string;
}

export interface ServedModels {
  /**
   * Loads the version, or shares the one in memory. Throws HR_UNKNOWN_MODEL, HR_MODEL_UNREADABLE, HR_MODEL_SIGNATURE,
   * HR_VERSION_INCOMPLETE while a view version that it reads is not complete, and what loading its definitions throws.
   */
  acquire(current: ModelSpec, version: number, isReadable: (version: string) => boolean): Promise<ServedModel>;
  /** Gives back what `acquire` gave; the last one closes it. */
  release(model: ServedModel): Promise<void>;
}

export interface ServedModelsDeps {
  readonly registry: Registry;
  readonly objects: ObjectStore;
  readonly runtime: ModelRuntime;
  readonly logger: Logger;
  readonly earlierDefinitions: (manifestHash: string) => Promise<Definitions>;
}

export function createServedModels({
  registry,
  objects,
  runtime,
  logger,
  earlierDefinitions,
}: ServedModelsDeps): ServedModels {
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
    async acquire(current, version, isReadable) {
      const registered = await registry.models.get(current.name, version);
      const definitions = await earlierDefinitions(registered.manifestHash);
      const { manifest } = definitions;
      const missing = versionsRead(manifest, registered.service).filter((one) => !isReadable(one));
      if (missing.length > 0) throw versionIncomplete(`version ${version} of model "${current.name}"`, missing);
      const service = resolveService(manifest, registered.service);
      const spec = registered.spec ?? current;
      const id = `${registered.artifact} ${spec.providers.join(',')}`;
      let entry = inMemory.get(id);
      if (entry === undefined) {
        entry = { loading: load(objects, runtime, registered.artifact, spec), uses: 0 };
        inMemory.set(id, entry);
        entry.loading.catch(() => inMemory.delete(id));
      }
      entry.uses++;
      const loaded = await entry.loading;
      try {
        const binding = compileBinding(loaded.signature, service, spec);
        const { artifact } = registered;
        const model: ServedModel = { loaded, binding, spec, definitions, service, artifact };
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
    const onnx = await getUnchecked(objects, artifact);
    return await runtime.load(onnx, { providers: spec.providers, handsOver: true, sha256: artifact });
  } catch (thrown) {
    if (thrown instanceof HeadraceError) throw thrown;
    const message = messageOf(thrown);
    throw new HeadraceError('HR_MODEL_UNREADABLE', `model "${spec.name}" cannot be loaded: ${message}`, {
      cause: thrown,
    });
  }
}

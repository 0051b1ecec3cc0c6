// Model versions as they are served: the features that each was trained on, bound to the model in memory.

import { HeadraceError, knownRows } from '../core/index.ts';
import { type Definitions, type ModelSpec, type ResolvedService, resolveService } from '../definitions/index.ts';
import { type Binding, compileBinding, type LoadedModel, type ModelRepository } from '../models/index.ts';
import type { ModelStatistics } from '../monitoring/index.ts';
import { type Registry, versionIncomplete, versionsRead } from '../registry/index.ts';
import type { ObjectStore } from '../storage/index.ts';
import { createAcquireFile, type ProvidersOf } from './acquire-file.ts';
import { createModelHolders } from './model-statistics.ts';
import { createGraphOpener, type OpenVersion } from './open-graph.ts';
import { readsBehind } from './reads-behind.ts';

export interface ServedModel {
  readonly loaded: LoadedModel;
  readonly binding: Binding;
  /** Its outputs and providers, as when it was registered. */
  readonly spec: ModelSpec;
  /** The definitions that it was trained on, and the features that it takes of them. */
  readonly definitions: Definitions;
  readonly service: ResolvedService;
  /** By feature of the service: which of its reads it is made from. */
  readonly readsBehind: readonly (readonly number[])[];
  /** SHA-256 of the file. */
  readonly artifact: string;
  /** It is used no more; it stays warm while there is room. */
  release(): void;
}

export interface ServedModels {
  /**
   * Loads the version, or shares the one in memory. Throws HR_UNKNOWN_MODEL, HR_ARTIFACT_UNREADABLE, HR_MODEL_UNREADABLE and
   * what else loading it throws, named; HR_MODEL_SIGNATURE; HR_VERSION_INCOMPLETE while a view version that it reads is not
   * complete, and what loading its definitions throws.
   */
  acquire(current: ModelSpec, version: number, isReadable: (version: string) => boolean): Promise<ServedModel>;
  /** What those that are used have counted, and those that were until now. */
  statistics(): readonly ModelStatistics[];
}

export interface ServedModelsDeps {
  readonly registry: Registry;
  readonly objects: ObjectStore;
  readonly models: ModelRepository;
  readonly providersOf: ProvidersOf;
  readonly earlierDefinitions: (manifestHash: string) => Promise<Definitions>;
}

/** `mayBlock`: whether nobody waits for the event loop yet. */
export function createServedModels(
  { registry, objects, models, providersOf, earlierDefinitions }: ServedModelsDeps,
  mayBlock: () => boolean,
): ServedModels {
  const holders = createModelHolders();
  const acquireFile = createAcquireFile({ objects, models, providersOf }, mayBlock);

  const openFile: OpenVersion = async ({ model, version, artifact }, { spec, service, rows }) => {
    const lease = await acquireFile(artifact, { model, providers: spec.providers, rows }).catch((thrown: unknown) => {
      throw naming(model, version, thrown);
    });
    try {
      const loaded = lease.model;
      const binding = compileBinding(loaded.signature, service, spec);
      const end = holders.hold(loaded, model, version);
      const release = (): void => {
        end();
        lease.release();
      };
      return { loaded, binding, release };
    } catch (thrown) {
      lease.release();
      throw thrown;
    }
  };
  const openGraph = createGraphOpener({ registry, objects, earlierDefinitions, holders, openFile });

  return {
    statistics: () => holders.statistics(),
    async acquire(current, version, isReadable) {
      const registered = await registry.models.get(current.name, version);
      const definitions = await earlierDefinitions(registered.manifestHash);
      const { manifest } = definitions;
      const missing = versionsRead(manifest, registered.service).filter((one) => !isReadable(one));
      if (missing.length > 0) throw versionIncomplete(`version ${version} of model "${current.name}"`, missing);
      const service = resolveService(manifest, registered.service);
      const spec = registered.spec ?? current;
      const taken = { definitions, service, spec };
      const rows = knownRows(spec.batch, registered.rowsVerdict);
      const opened = await (spec.graph === undefined ? openFile : openGraph)(registered, { ...taken, rows });
      return { ...opened, ...taken, readsBehind: readsBehind(service), artifact: registered.artifact };
    },
  };
}

/** Who loads an artifact knows its content alone. */
function naming(model: string, version: number, thrown: unknown): unknown {
  if (!(thrown instanceof HeadraceError)) return thrown;
  const { code, message, details } = thrown;
  return new HeadraceError(code, `version ${version} of model "${model}": ${message}`, { cause: thrown, details });
}

// A version of a model that is made of others: each of its models is opened by the version that it pins, as if it were served
// itself, and shared with whoever serves it.

import { HeadraceError } from '../core/index.ts';
import { type Definitions, type ModelSpec, type ResolvedService, resolveService } from '../definitions/index.ts';
import { compileGraph, type NodeModel, readGraphDocument, type RowModel } from '../models/index.ts';
import { type ModelVersion, pinnedVersion, type Registry } from '../registry/index.ts';
import { getBlob, type ObjectStore } from '../storage/index.ts';
import type { ModelHolders } from './model-statistics.ts';
import type { ServedModel } from './served-models.ts';

/** The features that a version takes, and its definition, as when it was registered. */
export interface VersionTakes {
  readonly definitions: Definitions;
  readonly service: ResolvedService;
  readonly spec: ModelSpec;
}

export type OpenVersion = (
  registered: Pick<ModelVersion, 'model' | 'version' | 'artifact'>,
  takes: VersionTakes,
) => Promise<Pick<ServedModel, keyof RowModel | 'release'>>;

export interface GraphOpenerDeps {
  readonly registry: Registry;
  readonly objects: ObjectStore;
  readonly earlierDefinitions: (manifestHash: string) => Promise<Definitions>;
  readonly holders: ModelHolders;
  readonly openFile: OpenVersion;
}

/** Throws HR_ARTIFACT_UNREADABLE, HR_MODEL_UNREADABLE, what opening a node's version throws, and as `compileGraph`; then nothing is left open. */
export function createGraphOpener({
  registry,
  objects,
  earlierDefinitions,
  holders,
  openFile,
}: GraphOpenerDeps): OpenVersion {
  return async ({ model, version, artifact }, { spec, service, definitions }) => {
    const { nodes } = readGraphDocument(await getBlob(objects, artifact));
    const models = new Map<string, NodeModel>();
    const releases: (() => void)[] = [];
    const release = (): void => releases.forEach((end) => end());
    try {
      for (const [name, pinned] of Object.entries(nodes)) {
        const node = await pinnedVersion(registry, { node: name, ...pinned });
        const own = await earlierDefinitions(node.manifestHash);
        const takes = {
          definitions: own,
          service: resolveService(own.manifest, node.service),
          spec: specOf(own, node),
        };
        const opened = await openFile(node, takes);
        releases.push(opened.release);
        models.set(name, { ...takes, ...opened, version: pinned.version });
      }
      const graph = compileGraph({ spec, service, definitions, models });
      releases.push(holders.hold(graph.loaded, model, version, graph.nodeCounts));
      return { loaded: graph.loaded, binding: graph.binding, release };
    } catch (thrown) {
      release();
      throw thrown;
    }
  };
}

function specOf({ manifest }: Definitions, { model, spec }: ModelVersion): ModelSpec {
  const found = spec ?? (Object.hasOwn(manifest.models, model) ? manifest.models[model] : undefined);
  if (found !== undefined) return found;
  throw new HeadraceError('HR_UNKNOWN_MODEL', `there is no definition of model "${model}" any more`);
}

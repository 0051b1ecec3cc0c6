// A version of a model that is made of others: each of its models is opened by the version that it pins, as if it were served
// itself, and shared with whoever serves it.

import type { Definitions } from '../definitions/index.ts';
import { compileGraph, type NodeModel, readGraphDocument, type RowModel } from '../models/index.ts';
import { type ModelVersion, pinnedVersion, type Registry, type VersionTakes, versionTakes } from '../registry/index.ts';
import { getBlob, type ObjectStore } from '../storage/index.ts';
import type { ModelHolders } from './model-statistics.ts';
import type { ServedModel } from './served-models.ts';

/** What a version takes and gives, with the definitions that it was registered by. */
interface DefinedTakes extends VersionTakes {
  readonly definitions: Definitions;
}

export type OpenVersion = (
  registered: Pick<ModelVersion, 'model' | 'version' | 'artifact'>,
  takes: DefinedTakes,
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
        const takes = { definitions: own, ...versionTakes(own.manifest, node) };
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

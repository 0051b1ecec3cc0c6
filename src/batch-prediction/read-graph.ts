// What a graph's version is made of, for threads that open it themselves: the version that each node pins, and its functions' code.

import { type Definitions, functionOf, type GraphSpec, type ModelSpec } from '../definitions/index.ts';
import { readGraphDocument } from '../models/index.ts';
import type { PartModel, PartNode } from '../offline/index.ts';
import { pinnedVersion, type Registry, versionTakes } from '../registry/index.ts';
import { getBlob, type ObjectStore } from '../storage/index.ts';

export interface ArmGraph {
  /** By name of a model node; their files are read when they are needed. */
  readonly nodes: ReadonlyMap<string, Omit<PartNode, 'onnx'>>;
  /** Code of the bundles by id of the function. */
  readonly functions: ReadonlyMap<string, string>;
  /** Those that the nodes' versions were registered with. */
  readonly trainingSets: readonly string[];
}

export interface GraphDeps {
  readonly registry: Pick<Registry, 'models'>;
  readonly objects: ObjectStore;
  /** Of a node's version what it takes is asked for, and no function. */
  readonly earlierDefinitions: (manifestHash: string) => Promise<Definitions>;
}

/** `artifact`: the graph's document. Throws HR_ARTIFACT_UNREADABLE, HR_MODEL_UNREADABLE, HR_UNKNOWN_MODEL, HR_CODE_MISSING. */
export async function readGraph(
  { registry, objects, earlierDefinitions }: GraphDeps,
  artifact: string,
  graph: GraphSpec,
  definitions: Definitions,
): Promise<ArmGraph> {
  const nodes = new Map<string, Omit<PartNode, 'onnx'>>();
  const trainingSets = new Set<string>();
  for (const [name, pinned] of Object.entries(readGraphDocument(await getBlob(objects, artifact)).nodes)) {
    const node = await pinnedVersion(registry, { node: name, ...pinned });
    if (node.trainingSet !== null) trainingSets.add(node.trainingSet);
    const { manifest } = await earlierDefinitions(node.manifestHash);
    nodes.set(name, { version: node.version, artifact: node.artifact, ...versionTakes(manifest, node) });
  }
  return { nodes, functions: codeOf(graph, definitions), trainingSets: [...trainingSets] };
}

function codeOf({ nodes }: GraphSpec, definitions: Definitions): ReadonlyMap<string, string> {
  const code = new Map<string, string>();
  for (const node of nodes) {
    if (node.kind !== 'function' && node.kind !== 'router') continue;
    const { id, bundle } = node.function;
    // Throws where it can't be had.
    functionOf(definitions, node.function);
    // Definitions that were applied have a bundle for each function that they have.
    code.set(id, definitions.bundles.get(bundle ?? '') as string);
  }
  return code;
}

/** The same with the files, each read once. `here` gives a model the providers of this machine. Throws HR_ARTIFACT_UNREADABLE, HR_STORAGE_UNAVAILABLE. */
export async function readFiles(
  objects: ObjectStore,
  { nodes, functions }: Pick<ArmGraph, 'nodes' | 'functions'>,
  here: (spec: ModelSpec) => ModelSpec,
): Promise<PartModel> {
  const files = new Map<string, Uint8Array>();
  const read = new Map<string, PartNode>();
  for (const [name, node] of nodes) {
    const onnx = files.get(node.artifact) ?? (await getBlob(objects, node.artifact));
    files.set(node.artifact, onnx);
    read.set(name, { ...node, spec: here(node.spec), onnx });
  }
  return { kind: 'graph', nodes: read, functions };
}

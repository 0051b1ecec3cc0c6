// Versions that a version of another model is made of: what its signature says of a graph's nodes.

import { HeadraceError } from '../core/index.ts';
import { type ModelVersion, readLiveVersions, readVersion } from './model-versions.ts';
import type { RegistryDb } from './store.ts';

/** A node of a graph, and the version that it runs. */
export interface GraphPin {
  readonly node: string;
  readonly model: string;
  readonly version: number;
}

/**
 * The version that a graph's document names for a node. Throws HR_UNKNOWN_MODEL, and HR_ARTIFACT_UNREADABLE where it is not the
 * file that the graph was registered with.
 */
export async function pinnedVersion(
  { models }: { readonly models: { get(model: string, version: number): Promise<ModelVersion> } },
  { node, model, version, artifact }: GraphPin & { readonly artifact: string },
): Promise<ModelVersion> {
  const found = await models.get(model, version);
  if (found.artifact === artifact) return found;
  throw new HeadraceError(
    'HR_ARTIFACT_UNREADABLE',
    `node "${node}": version ${version} of model "${model}" is not the file that the graph was registered with. Register the graph again.`,
  );
}

/** None of a version that is a file. */
export function graphPins(signature: unknown): readonly GraphPin[] {
  if (signature === null || typeof signature !== 'object' || !('nodes' in signature)) return [];
  // A file's signature has no nodes: this is what registering a graph wrote.
  const nodes = signature.nodes as Readonly<Record<string, Omit<GraphPin, 'node'>>>;
  return Object.entries(nodes).map(([node, { model, version }]) => ({ node, model, version }));
}

/** Sentences: which graphs that may still be served run it, and as what. */
export async function graphsThatRun(db: RegistryDb, { model, version }: ModelVersion): Promise<string[]> {
  return (await readLiveVersions(db)).flatMap((graph) =>
    graphPins(graph.signature)
      .filter((pin) => pin.model === model && pin.version === version)
      .map(({ node }) => `version ${graph.version} of model "${graph.model}" runs it as node "${node}"`),
  );
}

/** Throws HR_CONFLICT where one was retired meanwhile. */
export async function refuseRetiredPins(db: RegistryDb, signature: unknown): Promise<void> {
  for (const { node, model, version } of graphPins(signature)) {
    if ((await readVersion(db, model, version)).isRetired)
      throw new HeadraceError('HR_CONFLICT', `node "${node}": version ${version} of model "${model}" is retired`);
  }
}

// What a change could break or touch, as the registry's tables have it.

import { parseJson } from '../../core/index.ts';
import { type Manifest, own } from '../../definitions/index.ts';
import { readLiveVersions } from '../model-versions.ts';
import { readManifest, type RegistryDb } from '../store.ts';
import type { LiveExperiment } from '../live-experiment.ts';
import type { Variant } from '../traffic.ts';
import { readKept } from '../versions/view-version-rows.ts';
import type { EndpointInUse, InUse, Pinned } from './in-use.ts';

/** A training set, which the registry knows nothing of: as its record names what it was made of. */
export interface TrainingSetReader {
  readonly id: string;
  readonly name: string | null;
  readonly manifestHash: string;
  readonly service: string;
}

/** `current`: what is applied; its manifest is not read again. */
export async function readInUse(
  db: RegistryDb,
  current: { readonly hash: string; readonly manifest: Manifest } | undefined,
  trainingSets: readonly TrainingSetReader[],
): Promise<InUse> {
  const manifests = new Map(current === undefined ? [] : [[current.hash, current.manifest]]);
  const pinned = async <P extends { readonly manifestHash: string; readonly service: string }>(
    all: readonly P[],
  ): Promise<(P & Pinned)[]> => {
    const found: (P & Pinned)[] = [];
    for (const one of all) {
      const manifest = manifests.get(one.manifestHash) ?? (await readManifest(db, one.manifestHash));
      // Versions of a time before their definitions were kept read nothing that could be told.
      if (manifest === undefined) continue;
      manifests.set(one.manifestHash, manifest);
      if (own(manifest.services, one.service) !== undefined) found.push({ ...one, manifest });
    }
    return found;
  };
  return {
    models: await pinned(await readLiveVersions(db)),
    endpoints: await readEndpoints(db),
    trainingSets: await pinned(trainingSets),
    kept: await readKept(db),
  };
}

async function readEndpoints(db: RegistryDb): Promise<EndpointInUse[]> {
  const rows = await db
    .selectFrom('registry_endpoints')
    .select(['name', 'model', 'variants', 'experiments'])
    .where('is_retired', '=', 0)
    .where('variants', '!=', '[]')
    .orderBy('name')
    .execute();
  return rows.map(({ name, model, variants, experiments }) => {
    // Written from variants, and from experiments.
    const given = parseJson(variants) as unknown as readonly Variant[];
    const running = parseJson(experiments) as unknown as readonly LiveExperiment[];
    const answering = [...given.filter(({ weight }) => weight > 0), ...running.flatMap(({ arms }) => arms)];
    return { endpoint: name, model, versions: [...new Set(answering.map(({ version }) => version))] };
  });
}

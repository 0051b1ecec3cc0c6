// A registered model's file in memory, by its hash: from the artifact store where it is not there yet.

import type { KnownRows } from '../core/index.ts';
import type { ModelLease, ModelRepository } from '../models/index.ts';
import { getUnchecked, type ObjectStore, sizeOfBlob } from '../storage/index.ts';

/**
 * `providers`: as the model's definition has them. `rows`: what is known of its rows. Throws what loading it throws; loading checks
 * the file by its hash.
 */
export type AcquireFile = (
  artifact: string,
  of: { readonly model: string; readonly providers: readonly string[]; readonly rows: KnownRows | undefined },
) => Promise<ModelLease>;

/** The providers that a model of this name is loaded with, where its definition has these. */
export type ProvidersOf = (model: string, declared: readonly string[]) => readonly string[];

export interface AcquireFileDeps {
  readonly objects: ObjectStore;
  readonly models: ModelRepository;
  readonly providersOf: ProvidersOf;
}

/** `mayBlock`: whether nobody waits for the event loop yet. */
export function createAcquireFile(
  { objects, models, providersOf }: AcquireFileDeps,
  mayBlock: () => boolean,
): AcquireFile {
  return (artifact, { model, providers, rows }) =>
    models.acquire(artifact, () => getUnchecked(objects, artifact), {
      providers: providersOf(model, providers),
      rows,
      mayBlock: mayBlock(),
      sha256: artifact,
      size: () => sizeOfBlob(objects, artifact),
    });
}

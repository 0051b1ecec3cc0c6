// A registered model's file in memory, by its hash: from the artifact store where it is not there yet.

import type { ModelLease, ModelRepository } from '../models/index.ts';
import { getUnchecked, type ObjectStore, sizeOfBlob } from '../storage/index.ts';

/** Throws what loading it throws; loading checks the file by its hash. */
export type AcquireFile = (artifact: string, providers: readonly string[]) => Promise<ModelLease>;

export interface AcquireFileDeps {
  readonly objects: ObjectStore;
  readonly models: ModelRepository;
}

/** `mayBlock`: whether nobody waits for the event loop yet. */
export function createAcquireFile({ objects, models }: AcquireFileDeps, mayBlock: () => boolean): AcquireFile {
  return (artifact, providers) =>
    models.acquire(artifact, () => getUnchecked(objects, artifact), {
      providers,
      mayBlock: mayBlock(),
      sha256: artifact,
      size: () => sizeOfBlob(objects, artifact),
    });
}

// The training sets there are.

import type { OfflineDeps } from '../offline-deps.ts';
import type { TrainingSetRecord } from './record.ts';
import { readTrainingSet, readTrainingSets } from './training-set-store.ts';

/** All of them, the newest first. */
export function listTrainingSets(deps: Pick<OfflineDeps, 'database'>): Promise<TrainingSetRecord[]> {
  return readTrainingSets(deps.database);
}

/** By id, by the beginning of one (8 characters or more), or by name (its newest). Throws HR_UNKNOWN_TRAINING_SET. */
export function getTrainingSet(deps: Pick<OfflineDeps, 'database'>, idOrName: string): Promise<TrainingSetRecord> {
  return readTrainingSet(deps.database, idOrName);
}

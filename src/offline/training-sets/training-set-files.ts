// The files of training sets as their records tell of them, and where they lie once a backup was restored.

import type { Kysely } from 'kysely';
import type { Micros } from '../../core/index.ts';
import type { TrainingSetRecord } from './record.ts';

export interface TrainingSetFile {
  readonly id: string;
  readonly name: string | null;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly createdMicros: Micros;
  /** Of the definitions that it was made by. */
  readonly manifestHash: string;
}

interface Tables {
  training_sets: { id: string; record: string };
}

/** Of the records that `db` shows; a file may be gone, or be another by now. */
export async function* trainingSetFiles(opened: Kysely<unknown>): AsyncIterable<TrainingSetFile> {
  // The offline tables are in it.
  const db = opened as Kysely<Tables>;
  for (const { id, record } of await db.selectFrom('training_sets').select(['id', 'record']).orderBy('id').execute()) {
    const { name, path, contentHash, sizeBytes, createdAtMicros, manifestHash } = readRecord(record);
    yield { id, name, path, sha256: contentHash, bytes: sizeBytes, createdMicros: createdAtMicros, manifestHash };
  }
}

/** By id, where the file lies now. */
export async function relocateTrainingSets(opened: Kysely<unknown>, paths: ReadonlyMap<string, string>): Promise<void> {
  const db = opened as Kysely<Tables>;
  for (const [id, path] of paths) {
    const row = await db.selectFrom('training_sets').select('record').where('id', '=', id).executeTakeFirst();
    if (row === undefined) continue;
    const record = JSON.stringify({ ...readRecord(row.record), path });
    await db.updateTable('training_sets').set({ record }).where('id', '=', id).execute();
  }
}

function readRecord(text: string): TrainingSetRecord {
  // saveTrainingSet wrote it.
  return JSON.parse(text) as TrainingSetRecord;
}

// The training sets' own table: one row each, the record as JSON beside what it is looked up by.

import { didYouMean, HeadraceError } from '../../core/index.ts';
import type { Database, Migration } from '../../storage/index.ts';
import type { TrainingSetRecord } from './record.ts';

interface Tables {
  training_sets: { id: string; name: string | null; created_at_micros: number; record: string };
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-training-sets',
    async up(db) {
      await db.schema
        .createTable('training_sets')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text')
        .addColumn('created_at_micros', 'bigint', (column) => column.notNull())
        .addColumn('record', 'text', (column) => column.notNull())
        .execute();
    },
  },
];

/** Gives the database that has the table. */
export function migrateTrainingSets(database: Database): Promise<Database> {
  return database.migrate('offline', MIGRATIONS);
}

export interface SavedTrainingSet {
  readonly record: TrainingSetRecord;
  /** The set that was found by its name until now. */
  readonly nameTakenFrom: string | undefined;
  /** What the set itself was called until now, and is no more. */
  readonly formerName: string | undefined;
}

/**
 * Keeps a record; one of the same id is replaced, as it was made from the same inputs, and passes on its name to a
 * record that has none. Gives the record as kept.
 */
export async function saveTrainingSet(opened: Database, record: TrainingSetRecord): Promise<SavedTrainingSet> {
  const database = await migrateTrainingSets(opened);
  return database.transaction<Tables, SavedTrainingSet>(
    async (trx) => {
      const { id } = record;
      const before = await trx.selectFrom('training_sets').select('name').where('id', '=', id).executeTakeFirst();
      const kept = { ...record, name: record.name ?? before?.name ?? null };
      const named = await trx
        .selectFrom('training_sets')
        .select('id')
        .where('name', '=', kept.name)
        .orderBy('created_at_micros', 'desc')
        .orderBy('id')
        .executeTakeFirst();
      await trx.deleteFrom('training_sets').where('id', '=', id).execute();
      const row = { id, name: kept.name, created_at_micros: kept.createdAtMicros, record: JSON.stringify(kept) };
      await trx.insertInto('training_sets').values(row).execute();
      return {
        record: kept,
        nameTakenFrom: named === undefined || named.id === id ? undefined : named.id,
        formerName: before?.name === kept.name ? undefined : (before?.name ?? undefined),
      };
    },
    { serializedBy: 'training_sets' },
  );
}

/** All of them, the newest first. */
export async function readTrainingSets(opened: Database): Promise<TrainingSetRecord[]> {
  const database = await migrateTrainingSets(opened);
  const rows = await database
    .tables<Tables>()
    .selectFrom('training_sets')
    .select('record')
    .orderBy('created_at_micros', 'desc')
    .orderBy('id')
    .execute();
  return rows.map(({ record }) => fromText(record));
}

/** By id, an unambiguous beginning of one (8 characters or more), or name (its newest). Throws HR_UNKNOWN_TRAINING_SET. */
export async function readTrainingSet(opened: Database, idOrName: string): Promise<TrainingSetRecord> {
  const db = (await migrateTrainingSets(opened)).tables<Tables>();
  const exact = await db
    .selectFrom('training_sets')
    .select('record')
    .where((eb) => eb.or([eb('id', '=', idOrName), eb('name', '=', idOrName)]))
    .orderBy('created_at_micros', 'desc')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  if (exact !== undefined) return fromText(exact.record);
  const { length } = idOrName;
  const begins =
    length < 8
      ? []
      : await db
          .selectFrom('training_sets')
          .select('record')
          .where((eb) => eb(eb.fn<string>('substr', ['id', eb.val(1), eb.val(length)]), '=', idOrName))
          .limit(2)
          .execute();
  const [only] = begins;
  if (only !== undefined && begins.length === 1) return fromText(only.record);
  const named = await db.selectFrom('training_sets').select('name').distinct().where('name', 'is not', null).execute();
  const near = didYouMean(
    idOrName,
    named.flatMap(({ name }) => name ?? []),
  );
  throw new HeadraceError(
    'HR_UNKNOWN_TRAINING_SET',
    `there is no training set "${idOrName}".${near} \`headrace training-set list\` shows those there are.`,
  );
}

function fromText(text: string): TrainingSetRecord {
  // Written by saveTrainingSet. Plain JSON: a profile's numbers are doubles, however large.
  return JSON.parse(text) as TrainingSetRecord;
}

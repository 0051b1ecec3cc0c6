// Profiles that are kept: of each training set, and of the last runs of each view version. Later data are held against them.

import type { Micros } from '../../core/index.ts';
import { type Profile, profileFromJson, profileToJson } from '../../profiles/index.ts';
import type { Database, Migration } from '../../storage/index.ts';

interface Tables {
  profiles: { subject: string; series: string; number: number; created_at_micros: number; profile: string };
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-profiles',
    async up(db) {
      await db.schema
        .createTable('profiles')
        .addColumn('subject', 'text', (column) => column.primaryKey())
        .addColumn('series', 'text', (column) => column.notNull())
        .addColumn('number', 'bigint', (column) => column.notNull())
        .addColumn('created_at_micros', 'bigint', (column) => column.notNull())
        .addColumn('profile', 'text', (column) => column.notNull())
        .execute();
      await db.schema.createIndex('profiles_series').on('profiles').columns(['series', 'number']).execute();
    },
  },
];

/** Gives the database that has the table. */
export function migrateProfiles(database: Database): Promise<Database> {
  return database.migrate('offline-profiles', MIGRATIONS);
}

/** Of each version's runs so many profiles are kept. */
const RUNS_KEPT = 30;

const ofSet = (id: string): string => `training-set/${id}`;
const ofRun = (run: number): string => `run/${run}`;

export async function saveSetProfile(opened: Database, id: string, profile: Profile, now: Micros): Promise<void> {
  const row = { subject: ofSet(id), series: 'training-set', number: 0, created_at_micros: now };
  await save(await migrateProfiles(opened), { ...row, profile: profileToJson(profile) });
}

export async function saveRunProfile(
  opened: Database,
  { version, run }: { readonly version: string; readonly run: number },
  profile: Profile,
  now: Micros,
): Promise<void> {
  const database = await migrateProfiles(opened);
  const row = { subject: ofRun(run), series: `runs/${version}`, number: run, created_at_micros: now };
  await save(database, { ...row, profile: profileToJson(profile) });
  const kept = await database
    .tables<Tables>()
    .selectFrom('profiles')
    .select('number')
    .where('series', '=', row.series)
    .orderBy('number', 'desc')
    .limit(RUNS_KEPT)
    .execute();
  const oldest = kept.at(-1)?.number ?? 0;
  await database
    .tables<Tables>()
    .deleteFrom('profiles')
    .where('series', '=', row.series)
    .where('number', '<', oldest)
    .execute();
}

async function save(database: Database, row: Tables['profiles']): Promise<void> {
  await database.transaction<Tables, void>(
    async (trx) => {
      await trx.deleteFrom('profiles').where('subject', '=', row.subject).execute();
      await trx.insertInto('profiles').values(row).execute();
    },
    { serializedBy: 'profiles' },
  );
}

/** Undefined for a set of a time before profiles were kept. */
export function readSetProfile(database: Database, id: string): Promise<Profile | undefined> {
  return read(database, ofSet(id));
}

/** Undefined for a run that wrote nothing, or is long ago. */
export function readRunProfile(database: Database, run: number): Promise<Profile | undefined> {
  return read(database, ofRun(run));
}

async function read(opened: Database, subject: string): Promise<Profile | undefined> {
  const database = await migrateProfiles(opened);
  const row = await database
    .tables<Tables>()
    .selectFrom('profiles')
    .select('profile')
    .where('subject', '=', subject)
    .executeTakeFirst();
  return row === undefined ? undefined : profileFromJson(row.profile);
}

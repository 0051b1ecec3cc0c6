// The tables of offline work: training sets and the jobs that make them, what retention keeps in mind, profiles.

import type { Database } from '../storage/index.ts';
import { migrateJobs } from './jobs/job-table.ts';
import { migrateProfiles } from './profiles/profile-table.ts';
import { migrateRetention } from './retention/retention-table.ts';
import { migrateTrainingSets } from './training-sets/training-set-store.ts';

export async function migrateOffline(database: Database): Promise<void> {
  await migrateTrainingSets(database);
  await migrateRetention(database);
  await migrateJobs(database);
  await migrateProfiles(database);
}

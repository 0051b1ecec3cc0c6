// Every table of the registry's database, brought up to this version of Headrace. Each is also when it is first opened to be
// written; what only reads refuses earlier ones, and names `apply`.

import type { Clock } from '../core/index.ts';
import type { Database } from '../storage/index.ts';
import type { App } from './open-app.ts';

export async function migrateTables(app: Pick<App, 'database' | 'clock'>): Promise<void> {
  await migrateAllTables(await app.database(), app.clock);
}

/** Of every folder that has tables: a new one adds its line here, and backups hold them too. */
export async function migrateAllTables(database: Database, clock: Clock): Promise<void> {
  const [
    { migrateQuarantine },
    events,
    { migrateHousekeeping },
    { openFeeds, openPushedTable },
    { migrateOffline },
    online,
    { migrateFleet, migratePipelines, migrateSchedules, migrateTriggers },
    { openRegistry },
    { migrateLeases, migrateRegistryId },
    monitoring,
    rollouts,
  ] = await Promise.all([
    import('../checks/index.ts'),
    import('../events/index.ts'),
    import('../housekeeping/index.ts'),
    import('../ingestion/index.ts'),
    import('../offline/index.ts'),
    import('../online/index.ts'),
    import('../orchestrator/index.ts'),
    import('../registry/index.ts'),
    import('../storage/index.ts'),
    import('../monitoring/index.ts'),
    import('../rollouts/index.ts'),
  ]);
  await openRegistry(database, clock);
  await migrateRegistryId(database);
  await online.openRuns(database);
  await online.openRowSchemas(database);
  await events.migrateEventLog(database);
  await openFeeds(database);
  await openPushedTable(database);
  await migrateOffline(database);
  await migrateQuarantine(database);
  await migratePipelines(database);
  await migrateSchedules(database);
  await migrateTriggers(database);
  await migrateFleet(database);
  await migrateHousekeeping(database);
  await migrateLeases(database);
  await monitoring.migrateAlerts(database);
  await monitoring.migrateMinutes(database);
  await monitoring.migrateDrift(database);
  await monitoring.migrateQuality(database);
  await monitoring.migrateSkew(database);
  await rollouts.migrateExperiments(database);
  await rollouts.migrateRollouts(database);
}

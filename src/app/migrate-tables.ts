// Every table of the registry's database, brought up to this version of Headrace. Each is also when it is first opened to be
// written; what only reads refuses earlier ones, and names `apply`.

import type { App } from './open-app.ts';

export async function migrateTables(app: Pick<App, 'database' | 'registry' | 'runs' | 'schemas'>): Promise<void> {
  const [{ migrateQuarantine }, { migrateEventLog }, { migrateOffline }, { migrateRuns }] = await Promise.all([
    import('../checks/index.ts'),
    import('../events/index.ts'),
    import('../offline/index.ts'),
    import('../orchestrator/index.ts'),
  ]);
  await app.registry();
  await app.runs();
  await app.schemas();
  const database = await app.database();
  await migrateEventLog(database);
  await migrateOffline(database);
  await migrateQuarantine(database);
  await migrateRuns(database);
}

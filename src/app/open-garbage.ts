// Housekeeping with every collector there is: an owner of state that grows adds its line.

import { join } from 'node:path';
import type { Progress } from '../core/index.ts';
import type { GarbageReport } from '../housekeeping/index.ts';
import type { KeptReferences } from '../monitoring/index.ts';
import { type Collector, collectObjects, collectPartials, collectSpill } from '../storage/index.ts';
import { migrateAllTables } from './migrate-tables.ts';
import type { App } from './open-app.ts';
import { environmentsDirectory, openRuns } from './open-runs.ts';
import { rowsOwners } from './rows-owners.ts';

/** Removes what is past its retention, or in a dry run says what would go. */
export async function collectAll(
  app: App,
  options: { readonly dryRun: boolean },
  progress: Progress,
): Promise<GarbageReport> {
  const { collectGarbage } = await import('../housekeeping/index.ts');
  const database = await app.database();
  if (!options.dryRun) await migrateAllTables(database, app.clock);
  // Opened to read, a registry that was never used, or an earlier one, lacks tables: of those nothing can go.
  const tables = await database.tables<Record<string, never>>().introspection.getTables();
  const has = new Set(tables.map(({ name }) => name));
  return collectGarbage(
    {
      database,
      auditLog: (await app.registry()).auditLog,
      collectors: await collectorsOf(app, has, progress),
      actor: app.environment.actor,
      logger: app.logger,
      progress,
    },
    options,
  );
}

/** What may be watched for drift. */
async function keptReferences(app: App): Promise<KeptReferences> {
  const { models, endpoints } = await app.registry();
  const [trainingSets, versions] = [new Set<string>(), new Set<string>()];
  for (const { name } of await models.list())
    for (const { version, trainingSet, isRetired } of await models.versions(name)) {
      if (isRetired) continue;
      versions.add(`${name}/${version}`);
      if (trainingSet !== null) trainingSets.add(trainingSet);
    }
  return { trainingSets, versions, endpoints: new Set((await endpoints.list()).map(({ name }) => name)) };
}

async function collectorsOf(app: App, has: ReadonlySet<string>, progress: Progress): Promise<readonly Collector[]> {
  const [{ collectQuarantine }, offline, { collectDefinitions }, orchestrator, monitoring] = await Promise.all([
    import('../checks/index.ts'),
    import('../offline/index.ts'),
    import('../registry/index.ts'),
    import('../orchestrator/index.ts'),
    import('../monitoring/index.ts'),
  ]);
  const { values } = app.config;
  const [database, owners, objects, log] = [
    await app.database(),
    (await rowsOwners(app)).filter(({ table }) => has.has(table)),
    await app.objects(),
    await app.log(),
  ];
  const nowMicros = (): number => app.clock.nowMicros();
  const sets = { database, nowMicros, keepMicros: values['retention.trainingSets'] };
  const keepMicros = values['retention.bundles'];
  const partialMicros = values['retention.partials'];
  const files = { ...sets, dataDirectory: values['offline.path'], partialMicros };
  const ofTable = (table: string, ...collectors: readonly Collector[]): readonly Collector[] =>
    has.has(table) ? collectors : [];
  const keep = values['predictionLog.keep'];
  return [
    collectSpill(join(values['offline.path'], 'spill')),
    ...ofTable(
      'pipeline_runs',
      orchestrator.collectEndedRuns({ ...(await openRuns(app)), owners, keepMicros: values['retention.runs'] }),
    ),
    ...ofTable(
      'training_sets',
      offline.collectTrainingSets({ ...sets, owners }),
      ...offline.unnamedTrainingSetFiles(files),
      ...offline.collectCopies({ ...files, keepMicros: values['retention.copies'] }),
    ),
    ...ofTable(
      'quarantine_rows',
      collectQuarantine({ database, nowMicros, keepMicros: values['retention.quarantine'] }),
    ),
    ...ofTable(
      'registry_servers',
      collectDefinitions({ database, owners, nowMicros, keepLast: values['retention.versions'], keepMicros }),
      collectObjects({ database, objects, owners, nowMicros, keepMicros }),
    ),
    ...ofTable('monitoring_references', monitoring.collectReferences({ database, kept: () => keptReferences(app) })),
    collectPartials({ url: values['artifacts.url'], nowMicros, keepMicros: partialMicros }),
    orchestrator.collectEnvironments({
      directory: environmentsDirectory(app),
      nowMicros,
      keepMicros: values['retention.pythonEnvironments'],
    }),
    monitoring.collectPredictions({
      directory: values['predictionLog.path'],
      nowMicros,
      keep: keep === undefined ? monitoring.KEEP_ALL : monitoring.parseKeep(keep),
    }),
    offline.collectLog({ log }, async () => ({
      ...(await app.offline(progress)),
      store: await app.online(),
      retentionMicros: values['pushLog.retention'],
    })),
  ];
}

// The composition root: where ports meet adapters. Everything is opened when a command first needs it, so `plan` does not
// load DuckDB and `training-set list` does not touch the online store.

import { join } from 'node:path';
import { type Clock, type Logger, type Progress, systemClock } from '../core/index.ts';
import type { Definitions, LiveVersion } from '../definitions/index.ts';
import type { Quarantine } from '../checks/index.ts';
import type { KeptVersion } from '../control/index.ts';
import type { Alerts } from '../monitoring/index.ts';
import type { EventLog } from '../events/index.ts';
import type { IngestionDeps } from '../ingestion/index.ts';
import type { OnlineStore, RecordDirectory, RowSchemas, Runs, StorePlace } from '../online/index.ts';
import type { CompletenessDeps, OfflineDeps, PlaceDeps } from '../offline/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Experiments, Rollouts } from '../rollouts/index.ts';
import type { Database, DatabaseAccess, DuckDb, ObjectStore } from '../storage/index.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { createClosers } from './lazily.ts';
import { type Config, loadConfig } from './load-config.ts';
import { createLogger } from './logger.ts';
import { environmentName } from './settings/setting.ts';
import { sharedRollouts } from './open-rollouts.ts';
import { importOwnPackage } from './import-own-package.ts';

export interface App {
  readonly config: Config;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly logger: Logger;
  database(): Promise<Database>;
  registry(): Promise<Registry>;
  /** The feature repository as it is on disk. */
  repository(): Promise<Definitions>;
  /** What is applied, whatever lies on disk. Throws HR_NOTHING_APPLIED. */
  applied(): Promise<Definitions>;
  /** What was ever applied, by its manifest's hash. Throws HR_CODE_MISSING, HR_CODE_ALTERED. */
  definitionsOf(manifestHash: string): Promise<Definitions>;
  /** The same without the functions whose code can't be had. */
  earlierDefinitions(manifestHash: string): Promise<Definitions>;
  /** Every version of a view that is kept. */
  versions(): Promise<readonly LiveVersion[]>;
  /** Those of them that are not complete. */
  waitingVersions(): Promise<readonly LiveVersion[]>;
  online(): Promise<OnlineStore>;
  /** Where that lies, as it may be shown. */
  storePlace(): Promise<StorePlace>;
  /** The project that what is applied is of; this one's before the first apply. */
  appliedProject(): Promise<string>;
  objects(): Promise<ObjectStore>;
  duckdb(): Promise<DuckDb>;
  /** Rows of materialize runs, and of the schemas of stored rows. */
  runs(): Promise<Runs>;
  schemas(): Promise<RowSchemas>;
  /** What readers of the online store need of both. */
  directory(): Promise<RecordDirectory>;
  log(): Promise<EventLog>;
  /** Pushed rows that were set apart. */
  quarantine(): Promise<Quarantine>;
  /** What is wrong by the monitors. */
  alerts(): Promise<Alerts>;
  /** Experiments as they run. */
  experiments(): Promise<Experiments>;
  /** What people do with rollouts; a server's job moves them. */
  rollouts(): Promise<Rollouts>;
  /** What pushes take. */
  ingestion(): Promise<IngestionDeps>;
  /**
   * Every version of a view that is kept, with who reads it, and with the training sets that were made by it where they are
   * asked for: there may be thousands.
   */
  keptVersions(options: { readonly hasTrainingSets: boolean }): Promise<readonly KeptVersion[]>;
  /** What tells whether versions that are being filled are complete. */
  completeness(): Promise<CompletenessDeps>;
  /** What places of sources are looked into with. */
  places(): Promise<PlaceDeps>;
  /** What offline work takes; it tells of itself through `progress`. */
  offline(progress: Progress): Promise<OfflineDeps>;
  /** Closes what was opened, the last opened first. */
  close(): Promise<void>;
}

export interface OpenAppOptions {
  /** The configuration file; found from the working directory when left out. */
  readonly config?: string | undefined;
  /** Settings, given as values, without which there must be a configuration file, and with which there may be none. */
  readonly places?: Readonly<Record<string, string | undefined>>;
  /**
   * `read` leaves the registry as it is: nothing is migrated, nothing changed. Throws HR_REGISTRY_OUTDATED. `join` makes none: HR_CONFIG
   * where it is not there.
   */
  readonly access?: DatabaseAccess;
  /** When a registry over the network that says nothing counts as away. */
  readonly queryTimeoutMs?: number | undefined;
  /** What dead processes have spilled to disk is left alone, where whoever opens this tells of it. */
  readonly leaveDeadSpill?: boolean;
  readonly environment?: Environment;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Added to each line of the log. */
  readonly logged?: object;
  /** What DuckDB may take, where that is less than offline work has. */
  readonly duckDb?: (values: Config['values']) => { readonly memoryBytes: number; readonly threads: number };
  /** Where offline work spills; in offline.path when left out. */
  readonly spill?: string;
}

/** Loads the configuration and gives the means to open the rest. Throws HR_CONFIG. */
export async function openApp(options: OpenAppOptions = {}): Promise<App> {
  const environment = options.environment ?? readEnvironment();
  const config = await loadConfig(
    options.config,
    environment.workingDirectory,
    { ...environment.variables, ...variablesOfPlaces(options.places) },
    options.places === undefined ? undefined : Object.keys(options.places),
  );
  const { values } = config;
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? createLogger(values['log.level'], options.logged);
  const { lazily, closeAll } = createClosers();

  const database = lazily(
    async () => (await import('../storage/index.ts')).openDatabase(values['registry.url'], options),
    (opened) => opened.close(),
  );
  const registry = lazily(async () => (await import('../registry/index.ts')).openRegistry(await database(), clock));
  const repository = lazily(async () =>
    (await import('../definitions/index.ts')).loadDefinitions(values.repo, values.project),
  );
  const definitions = lazily(async () =>
    (await import('./applied-definitions.ts')).createAppliedDefinitions({
      registry,
      objects,
      store: await shownUrl(values['artifacts.url']),
      project: values.project,
      logger,
      directory: values.repo,
    }),
  );
  const applied = lazily(async () => (await definitions()).current());
  const duckDbLimits = options.duckDb?.(values) ?? {
    memoryBytes: values['offline.memory'],
    threads: values['offline.threads'],
  };
  const duckdb = lazily(
    async () =>
      (await import('../storage/index.ts')).openDuckDb({
        memory: `${Math.floor(duckDbLimits.memoryBytes / 1e6)}MB`,
        tempDirectory: options.spill ?? join(values['offline.path'], 'spill'),
        leaveDead: options.leaveDeadSpill ?? false,
        ...(duckDbLimits.threads === undefined ? {} : { threads: duckDbLimits.threads }),
        ...(values['offline.extensions'] === undefined ? {} : { extensions: values['offline.extensions'] }),
      }),
    (opened) => opened.close(),
  );
  const online = lazily(
    async () =>
      (await import('../online/index.ts')).openOnlineStore(values['online.url'], {
        project: values.project,
        clock,
        logger,
        mapSizeBytes: values['online.mapSize'],
        replicas: values['online.replicas'],
      }),
    (opened) => opened.close(),
  );
  const runs = lazily(async () => (await import('../online/index.ts')).openRuns(await database()));
  const schemas = lazily(async () => (await import('../online/index.ts')).openRowSchemas(await database()));
  const objects = lazily(async () => (await import('../storage/index.ts')).openObjectStore(values['artifacts.url']));
  const log = lazily(
    async () =>
      (await import('./open-log.ts')).openLog({
        values,
        variables: environment.variables,
        database: await database(),
        objects: await objects(),
        clock,
        logger,
      }),
    (opened) => opened.close(),
  );
  const quarantine = lazily(async () =>
    (await import('../checks/index.ts')).openQuarantine(await database(), { maxBytes: values['quarantine.maxSize'] }),
  );
  const alerts = lazily(async () =>
    (await import('../monitoring/index.ts')).openAlerts(await database(), {
      clock,
      logger,
      hasReceiver: values['alerts.webhook'] !== undefined,
    }),
  );
  const experiments = lazily(async () =>
    (await import('../rollouts/index.ts')).openExperiments({
      database: await database(),
      registry: await registry(),
      clock,
    }),
  );
  const rollouts = sharedRollouts(database, registry, clock);
  const completeness = async (): Promise<CompletenessDeps> => ({
    versions: (await registry()).versions,
    store: await online(),
    runs: await runs(),
    log: await log(),
  });
  const places = async (): Promise<PlaceDeps> => ({
    duckdb: await duckdb(),
    clock,
    logger,
    dataDirectory: values['offline.path'],
    remote: {
      variable: (name) => environment.variables[name],
      s3: { silenceMs: values['offline.s3Silence'] / 1000 },
      cacheBytes: values['offline.cache'],
      databases: {
        silenceMs: values['offline.sourceSilence'] / 1000,
        importSdk: (name) => importOwnPackage(name, config.directory),
      },
    },
  });
  return {
    config,
    environment,
    clock,
    logger,
    database,
    registry,
    repository,
    applied,
    definitionsOf: async (hash) => (await definitions()).of(hash),
    earlierDefinitions: async (hash) => (await definitions()).earlier(hash),
    versions: async () => (await definitions()).versions(),
    waitingVersions: async () => (await definitions()).versions((row) => row.completedMicros === null),
    duckdb,
    places,
    offline: async (progress) => ({
      ...(await places()),
      definitions: await applied(),
      versions: await (await definitions()).versions(),
      database: await database(),
      progress,
      log: await log(),
    }),
    online,
    async storePlace() {
      return { project: values.project, url: await shownUrl(values['online.url']) };
    },
    async appliedProject() {
      return (await (await registry()).definitions.current())?.manifest.project ?? values.project;
    },
    objects,
    runs,
    schemas,
    directory: lazily(async () =>
      (await import('../online/index.ts')).openRecordDirectory(await runs(), await schemas()),
    ),
    log,
    quarantine,
    alerts,
    experiments,
    rollouts,
    async ingestion() {
      const { createRowDeriver } = await import('../offline/index.ts');
      const { openFeeds, openPushedTable } = await import('../ingestion/index.ts');
      return {
        log: await log(),
        store: await online(),
        runs: await runs(),
        schemas: await schemas(),
        versions: (await registry()).versions,
        feeds: await openFeeds(await database()),
        pushed: await openPushedTable(await database()),
        quarantine,
        deriver: (definitions, source, onFailed) => createRowDeriver(definitions, source, duckdb, onFailed),
        clock,
        logger,
        limits: {
          maxRows: values['server.maxRows'],
          memoryBytes: values['pushLog.memory'],
          maxAheadMicros: values['pushLog.maxAhead'],
          claimRetentionMs: Math.ceil(values['pushLog.claimRetention'] / 1000),
          timeoutMs: values['pushLog.timeoutMs'],
        },
      };
    },
    async keptVersions({ hasTrainingSets }) {
      const { surveyVersions } = await import('../control/index.ts');
      const { listTrainingSets } = await import('../offline/index.ts');
      return surveyVersions({
        registry: await registry(),
        live: await (await definitions()).versions(),
        trainingSets: hasTrainingSets ? await listTrainingSets({ database: await database() }) : [],
        ...(await completeness()),
      });
    },
    completeness,
    close: closeAll,
  };
}

/** What was typed for a setting wins over the environment, and that over the file. */
function variablesOfPlaces(places: OpenAppOptions['places'] = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(places).flatMap(([key, value]) => (value === undefined ? [] : [[environmentName(key), value]])),
  );
}

/** A path has no password, and is shown whole. */
async function shownUrl(url: string): Promise<string> {
  return /^(file|lmdb):/.test(url) ? url : (await import('../storage/index.ts')).withoutPassword(url);
}

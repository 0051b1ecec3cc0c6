// Drift with what it asks: the log, the versions' training sets, which features are windows, and a small DuckDB of its own, so
// that whoever serves comes first.

import { didYouMeanOf, HeadraceError, messageOf, MICROS_PER_DAY, MICROS_PER_HOUR } from '../core/index.ts';
import type {
  DriftReport,
  DriftStore,
  ShownArms,
  WatchedArmName,
  WatchedEndpoint,
  WatchedVersion,
} from '../monitoring/index.ts';
import type { DuckDb } from '../storage/index.ts';
import { withMonitorDuckDb } from './monitor-duckdb.ts';
import { createNewestReports } from './newest-drift.ts';
import type { App } from './open-app.ts';

export interface DriftMonitor {
  readonly store: DriftStore;
  endpoints(): Promise<readonly WatchedEndpoint[]>;
  /** Throws HR_UNKNOWN_ENDPOINT. */
  endpoint(name: string): Promise<WatchedEndpoint>;
  version(arm: WatchedArmName): Promise<WatchedVersion>;
  /** Who has traffic now, experiments' arms, too. Throws HR_UNKNOWN_ENDPOINT. */
  serving(endpoint: string): Promise<readonly WatchedArmName[]>;
  /** Of all arms where it does not say which are `shown`. Throws HR_INVALID for an arm that never served there. */
  report(
    endpoint: string,
    question: {
      readonly window?: 'hour' | 'day';
      readonly limit?: number;
      readonly isNow?: boolean;
      readonly shown?: ShownArms;
    },
  ): Promise<DriftReport>;
  /** Of each endpoint the newest windows alone, made again only where windows came, went, or were counted again. */
  newest(): Promise<readonly DriftReport[]>;
  /** Counts what is over of all endpoints, and tells the alerts. */
  run(signal: AbortSignal): Promise<void>;
}

/** No window that is told of as the newest is older: of long silence nothing changes. */
const NEWEST_MICROS = 62 * MICROS_PER_DAY;
/** What is shown of each feature when nothing else is said. */
const SHOWN_WINDOWS = 48;

export async function openDrift(app: App): Promise<DriftMonitor> {
  const { openDriftStore, runDrift, driftReport, driftOf } = await import('../monitoring/index.ts');
  const { values } = app.config;
  const store = await openDriftStore(await app.database());
  const base = values['drift.window'] === 'day' ? 'day' : 'hour';
  const size = base === 'day' ? MICROS_PER_DAY : MICROS_PER_HOUR;
  const version = createVersions(app);
  const endpoints = async (): Promise<WatchedEndpoint[]> => {
    const all = await (await app.registry()).endpoints.list();
    return all.map(({ name, model, unit, variants }) => ({
      name,
      hasUnits: unit.length > 0,
      arms: variants.map((one) => ({ variant: one.name, model, version: one.version })),
    }));
  };
  const endpoint = async (name: string): Promise<WatchedEndpoint> => {
    const all = await endpoints();
    const found = all.find((one) => one.name === name);
    if (found !== undefined) return found;
    const near = didYouMeanOf(
      'endpoints',
      name,
      all.map((one) => one.name),
    );
    throw new HeadraceError('HR_UNKNOWN_ENDPOINT', `there is no endpoint "${name.slice(0, 200)}".${near}`);
  };
  const serving = async (name: string): Promise<readonly WatchedArmName[]> => {
    const { model, variants, experiments } = await (await app.registry()).endpoints.get(name);
    const inExperiments = experiments.flatMap((one) =>
      one.arms.map((arm) => ({ variant: `${one.name}/${arm.name}`, model, version: arm.version })),
    );
    return [...variants.map((one) => ({ variant: one.name, model, version: one.version })), ...inExperiments];
  };
  const runOne = async (duckdb: DuckDb, watched: WatchedEndpoint, signal: AbortSignal, isNow: boolean) =>
    runDrift(
      {
        store,
        duckdb,
        directory: values['predictionLog.path'],
        alerts: await app.alerts(),
        size,
        clock: app.clock,
        version,
      },
      watched,
      { signal, isNow },
    );
  const report: DriftMonitor['report'] = async (
    name,
    { window = base, limit = SHOWN_WINDOWS, isNow = false, shown = 'all' },
  ) => {
    if (window === 'hour' && base === 'day')
      throw new HeadraceError('HR_USAGE', 'drift is counted by day here (drift.window): there are no hours to show.');
    const watched = await endpoint(name);
    const run = isNow
      ? await withMonitorDuckDb(app, (duckdb) => runOne(duckdb, watched, new AbortController().signal, true))
      : undefined;
    const question = { size, window, limit, now: app.clock.nowMicros() };
    const ofAll = await driftReport(store, watched, version, {
      ...question,
      ...(run === undefined ? {} : { underWay: run.underWay }),
    });
    const since = question.now - limit * (window === 'day' ? MICROS_PER_DAY : MICROS_PER_HOUR);
    return shown === 'all' ? ofAll : driftOf(ofAll, shown, { serving: await serving(name), since });
  };
  const newest = createNewestReports({
    endpoints,
    stamps: () => store.stamps(size, app.clock.nowMicros() - NEWEST_MICROS),
    report: (name) => report(name, { limit: 1 }),
  });
  return {
    store,
    endpoints,
    endpoint,
    version,
    serving,
    report,
    newest,
    async run(signal) {
      await withMonitorDuckDb(app, async (duckdb) => {
        for (const watched of await endpoints()) {
          if (signal.aborted) return;
          await runOne(duckdb, watched, signal, false);
        }
      });
    },
  };
}

/** What a version was trained on does not change; that its file is gone may. */
function createVersions(app: App): (arm: WatchedArmName) => Promise<WatchedVersion> {
  const known = new Map<string, WatchedVersion>();
  return async (arm) => {
    const key = `${arm.model} ${arm.version}`;
    const had = known.get(key);
    if (had !== undefined) return had;
    const found = await readVersion(app, arm);
    if (found.lacks === null) known.set(key, found);
    return found;
  };
}

async function readVersion(app: App, { model, version }: WatchedArmName): Promise<WatchedVersion> {
  const { resolveService } = await import('../definitions/index.ts');
  const { kindOfType } = await import('../monitoring/index.ts');
  const { typeName } = await import('../core/index.ts');
  const { models, definitions } = await app.registry();
  const isKnown = (await models.list()).some(({ name }) => name === model);
  const found = isKnown ? (await models.versions(model)).find((one) => one.version === version) : undefined;
  const manifest = found === undefined ? undefined : await definitions.byHash(found.manifestHash);
  if (found === undefined || manifest === undefined || !Object.hasOwn(manifest.services, found.service))
    return { features: [], trainingSet: null, lacks: `version ${version} of model "${model}" is gone` };
  const { features, reads } = resolveService(manifest, found.service);
  const watched = features.map(({ name, type, from }) => {
    const op = from.kind === 'read' ? reads[from.read]?.view.features[from.feature]?.aggregation.op : undefined;
    return { name, kind: kindOfType(typeName(type)), isWindow: op !== undefined && op !== 'latest' };
  });
  if (found.trainingSet === null)
    return {
      features: watched,
      trainingSet: null,
      lacks: 'the version was registered without a training set: its first windows stand in for one',
    };
  try {
    const { getTrainingSet, openTrainingSetFile } = await import('../offline/index.ts');
    const record = await getTrainingSet({ database: await app.database() }, found.trainingSet);
    const { file, path } = await openTrainingSetFile(record, app.config.values['offline.path']);
    await file.close();
    const { id, timestamp, rows } = record;
    return { features: watched, trainingSet: { id, path, timestamp, rows }, lacks: null };
  } catch (thrown) {
    return { features: watched, trainingSet: null, lacks: messageOf(thrown) };
  }
}

// One serving process: the planes over what the project opened, the HTTP server over the planes, and their stop.

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import { viewMetrics, viewStatuses } from '../control/index.ts';
import type { LiveFigures, TotalsChannel } from '../monitoring/index.ts';
import type { StartJobProcess } from '../offline/index.ts';
import {
  createBytesInFlight,
  createHttpServer,
  type HttpServer,
  type LiveStats,
  type LoggedRequests,
  openServing,
  presentHealth,
  type Security,
  type ServingPlanes,
} from '../serving/index.ts';
import { pidSpace } from '../core/index.ts';
import { backgroundJobs } from './background/jobs.ts';
import { startJobs } from './background/run-jobs.ts';
import { cannotListen } from './cannot-listen.ts';
import { countOutsideMemoryWithTheHeap } from './count-outside-memory.ts';
import { providersOf } from './model-providers.ts';
import { monitoringReads } from './monitoring-reads.ts';
import type { App } from './open-app.ts';
import { openScheduleMetrics } from './open-scheduler.ts';
import { listenGrpc, openGrpc } from './open-grpc.ts';
import { openServerMinutes } from './open-minutes.ts';
import { openServerSecurity } from './open-security.ts';
import { openServedExperiments } from './experiment-reports.ts';
import { openTrainingSets } from './open-training-sets.ts';
import { packageVersion } from './package-version.ts';
import { presentIngestion, presentModels } from './present-status.ts';
import { releaseStartMemory } from './release-start-memory.ts';
import { drainLimits, WRITER_LIMIT_MS } from './stop-limits.ts';
import { createFillProcesses } from './start-fill-process.ts';
import { createStop } from './stop-serving.ts';
import { collected } from './telemetry/collected.ts';
import { telemetrySettings } from './telemetry/telemetry-settings.ts';

export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** Undefined: gRPC is not served. */
  readonly grpcPort?: number | undefined;
  /** Let anybody in on an address that is not loopback, while there are no keys. */
  readonly isInsecure?: boolean;
  /** Whether this process compacts the prediction log and runs the background jobs: one of all workers does. */
  readonly compacts?: boolean;
  /** Neither count nor log predictions, for the benchmark of what that costs. */
  readonly isUnwatched?: boolean;
  /** Leave the page at /docs out, for tests and benchmarks. */
  readonly hasDocs?: boolean;
  /** Have V8 keep memory as suits a server, and give back what the start left in it, for a process that does nothing else. */
  readonly releasesMemory?: boolean;
  /** What this process tells the registry of itself under; one of its own when left out. */
  readonly serverId?: string;
  /** The way to whoever owns the totals of all workers; this process when left out. */
  readonly channel?: TotalsChannel;
  /** Starts the jobs of training sets; a process each when left out. Tests run them in this process. */
  readonly startJob?: StartJobProcess | undefined;
  /** What scrapes and streams are told; the figures as they are when left out. */
  readonly stats?: (own: LiveFigures) => LiveStats;
}

/** All that serves, but for its listening. */
export interface Prepared {
  readonly planes: ServingPlanes;
  readonly server: FastifyInstance;
  readonly figures: LiveFigures;
  readonly security: Security;
  /** Each route's own role. */
  readonly roles: HttpServer['roles'];
  /** Graceful; a second call gives the same promise. The app stays the caller's to close. */
  stop(): Promise<void>;
  hurry(): void;
  /** Whether a model runs in a thread, stopped or not: see `endDespite`. */
  isModelRunning(): boolean;
  /** Throws HR_CONFIG when an address cannot be had: then all is closed. */
  listen(): Promise<Listening>;
}

/** Where it listens. */
export interface Listening {
  /** Such as http://127.0.0.1:8080. */
  readonly url: string;
  /** Such as 127.0.0.1:8081; undefined where gRPC is not served. */
  readonly grpcAddress: string | undefined;
}

export type Serving = Omit<Prepared, 'listen'> & Listening;

/** Opens what serving needs and listens. Throws HR_CONFIG when the address cannot be had. */
export async function serveInProcess(app: App, options: ServeOptions): Promise<Serving> {
  const { listen, ...prepared } = await prepareServing(app, options);
  return { ...prepared, ...(await listen()) };
}

/** Opens what serving needs. */
export async function prepareServing(app: App, options: ServeOptions): Promise<Prepared> {
  const { values } = app.config;
  const { clock, logger } = app;
  const { host, isInsecure = false } = options;
  // First: what its settings lack is told before anything else is opened.
  const guard = await openServerSecurity(app, { host, isInsecure });
  const settings = telemetrySettings(values, app.environment);
  const {
    createLiveFigures,
    createMonitor,
    createTotals,
    localChannel,
    openPredictionLog,
    parseKeep,
    parseRedaction,
    parseSampling,
    withMinutes,
  } = await import('../monitoring/index.ts');
  const { createModelRepository, createOnnxRuntime } = await import('../models/index.ts');
  const { completeVersions } = await import('../offline/index.ts');
  const serverId = options.serverId ?? randomUUID();
  const minutes = await openServerMinutes(app, serverId);
  const monitor = withMinutes(createMonitor(clock), minutes.collector);
  const channel = options.channel ?? localChannel(createTotals(clock));
  const figures = createLiveFigures({ monitor, channel, clock });
  const compacts = options.compacts !== false;
  const redact = parseRedaction(values['predictionLog.redact']);
  const keep = values['predictionLog.keep'];
  const predictionLog = openPredictionLog({
    directory: values['predictionLog.path'],
    clock,
    logger,
    memory: values['predictionLog.memory'],
    sample: parseSampling(values['predictionLog.sample']),
    redact,
    // Often, in small parts: requests wait behind each.
    flushEveryMs: 200,
    ...(compacts ? { compaction: keep === undefined ? {} : { keep: parseKeep(keep) } } : {}),
  });
  monitor.watchLog(() => predictionLog.counters());
  monitor.watchMinutes(() => minutes.writer.figures());
  const runtime = createOnnxRuntime({
    workerThreads: values['models.threads'],
    providerShare: values['models.providerShare'],
    maxBatchRows: values['models.maxBatchRows'],
    maxQueuedRows: values['models.maxQueuedRows'],
  });
  const models = createModelRepository({
    runtime,
    memoryBytes: values['models.memory'],
    loaded({ id, providers, nodesByProvider, placement, mixesRows, rowsVerdict }) {
      const isAccelerated = providers.some((provider) => provider !== 'cpu');
      const isUnshown = mixesRows === true && rowsVerdict === 'unknown';
      const sharesRuns = mixesRows === false;
      logger[isAccelerated || isUnshown ? 'info' : 'debug'](
        { artifact: id, providers, nodesByProvider: nodesByProvider ?? null, placement, sharesRuns },
        isUnshown
          ? 'a model is in memory; nothing shows that its rows are independent, so each call runs alone'
          : 'a model is in memory',
      );
    },
  });
  const store = await app.online();
  // A Redis that answers only later, or another one that comes back, is looked at then as at the start.
  await store.expectRegistry(await (await app.runs()).registry());
  const planes = await openServing({
    registry: await app.registry(),
    store,
    storePlace: await app.storePlace(),
    objects: await app.objects(),
    models,
    providersOf: providersOf(values),
    definitionsOf: (hash) => app.definitionsOf(hash),
    earlierDefinitions: (hash) => app.earlierDefinitions(hash),
    completeVersions: async (waiting) => completeVersions(await app.completeness(), waiting),
    self: {
      id: serverId,
      machine: hostname(),
      pid: process.pid,
      pidSpace: pidSpace(),
      startedMicros: clock.nowMicros(),
    },
    directory: await app.directory(),
    ingestion: await app.ingestion(),
    predictionLog,
    // One of all workers tells.
    redact: compacts ? redact : [],
    monitor,
    minutes: minutes.collector,
    isUnwatched: options.isUnwatched === true,
    clock,
    logger,
    limits: {
      maxInFlight: values['server.maxInFlight'],
      maxRows: values['server.maxRows'],
      requestTimeoutMs: values['server.requestTimeoutMs'],
      cacheBytes: values['models.cacheMemory'],
    },
    writerLimitMs: WRITER_LIMIT_MS,
  });
  const views = async (hasTrainingSets: boolean) => {
    const versions = await app.keptVersions({ hasTrainingSets });
    const [runs, log, store, storePlace] = await Promise.all([app.runs(), app.log(), app.online(), app.storePlace()]);
    const applied = await app.appliedProject();
    return viewStatuses({ versions, runs, log, store, storePlace, applied, nowMicros: clock.nowMicros() });
  };
  const bytes = createBytesInFlight(values['server.maxInFlightBytes']);
  monitor.watchInFlightBytes(() => bytes.count);
  monitor.watchCertificate(guard.certificateEndsMicros);
  monitor.watchHealth(() => {
    const { isReady, health } = planes.control.readiness();
    const endpoints = health.endpoints.filter(({ state }) => state !== 'empty');
    return { isReady, endpoints: endpoints.map(({ endpoint, state }) => [endpoint, state === 'serving'] as const) };
  });
  const tracing =
    settings === undefined
      ? undefined
      : (await import('./telemetry/start-telemetry.ts')).startTelemetry({
          settings,
          version: packageVersion(),
          hasSpans: true,
          // The primary of several sends the figures.
          ...(options.channel === undefined ? { collect: async () => collected(await figures.figures()) } : {}),
          logger,
        });
  const monitors = monitoringReads(app);
  const scheduleMetrics = openScheduleMetrics(app);
  const trainingSets = await openTrainingSets(app, serverId, options.startJob);
  const { experiments, reports } = await openServedExperiments(app);
  const fills = createFillProcesses(app);
  const { app: server, roles } = await createHttpServer(planes, {
    logger,
    trainingSets,
    onTurnedAway: (code) => monitor.turnedAway(code),
    onExposures(exposures) {
      for (const { flag, arm, count } of exposures) monitor.exposed(flag, arm, count);
    },
    stats: options.stats?.(figures) ?? figures,
    rollouts: () => app.rollouts(),
    alerts: { list: async (query) => (await app.alerts()).list(query) },
    experiments,
    materialize: fills.materialize,
    history: minutes.history,
    monitoring: monitors,
    status: {
      views: () => views(true),
      own: () => ({
        ingestion: presentIngestion(planes.control.ingestionStatus()),
        definitions: presentHealth(planes.control.readiness().health),
        models: presentModels(models.statistics()),
      }),
    },
    loggedRequests: values['log.requests'] as LoggedRequests,
    tracing,
    viewMetrics: async () =>
      (await Promise.all([views(false).then(viewMetrics), monitors.metrics(), scheduleMetrics()])).join('\n'),
    bodyLimitBytes: values['server.bodyLimit'],
    bytes,
    requestTimeoutMs: values['server.requestTimeoutMs'],
    security: guard.security,
    tls: guard.tls,
    limits: {
      bodyTimeoutMs: values['server.bodyTimeoutMs'],
      maxStreams: values['server.maxStreams'],
      maxConnections: values['server.maxConnections'],
    },
    version: packageVersion(),
    ...(options.hasDocs === undefined ? {} : { hasDocs: options.hasDocs }),
  });
  guard.followTls(server.server);
  const grpc =
    options.grpcPort === undefined ? undefined : await openGrpc(app, { planes, guard, bytes, tracing, monitor });
  const stopJobs = compacts
    ? startJobs({
        jobs: await backgroundJobs({ app, views: () => views(false) }),
        database: await app.database(),
        holder: serverId,
        logger,
      })
    : async () => {};
  const reporting = setInterval(() => figures.report(), REPORT_EVERY_MS);
  reporting.unref();
  const { stop, hurry } = createStop({
    planes,
    server,
    grpc,
    drain: drainLimits(values),
    logger,
    parts: {
      predictionLog,
      minutes: minutes.writer,
      guard,
      models,
      monitor,
      tracing,
      jobs: trainingSets.jobs,
      reports,
      fills,
      background: { close: stopJobs },
    },
    lastFigures() {
      clearInterval(reporting);
      figures.report();
    },
  });
  return {
    planes,
    server,
    figures,
    roles,
    security: guard.security,
    stop,
    hurry,
    isModelRunning: runtime.isRunning,
    async listen() {
      try {
        await learnTotals(figures);
        if (options.releasesMemory === true) {
          countOutsideMemoryWithTheHeap();
          releaseStartMemory(logger);
        }
        const url = await server.listen({ host: options.host, port: options.port });
        return { url, grpcAddress: await listenGrpc(grpc, options) };
      } catch (thrown) {
        hurry();
        await stop();
        throw cannotListen(options.host, options.port, thrown);
      }
    },
  };
}

// What a scrape tells first must be no less than what other workers have told.
async function learnTotals(figures: LiveFigures): Promise<void> {
  for (let tries = 0; tries < LEARN_TRIES; tries++) if (await figures.learn()) return;
}

const REPORT_EVERY_MS = 1000;
const LEARN_TRIES = 2;

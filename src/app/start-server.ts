// `headrace serve`: in this process with one worker, else a primary that supervises workers sharing the port.

import type { App } from './open-app.ts';
import { isInForce } from '../registry/index.ts';
import { endDespite } from './end-despite.ts';
import { checkHost, isLoopback } from './loopback.ts';
import { outliveReaders } from './outlive-readers.ts';
import type { RunningServer } from './running-server.ts';
import { drainLimits } from './stop-limits.ts';
import type { WorkerLimits } from './supervise-workers.ts';
import { takesTokens } from './takes-tokens.ts';
import { telemetrySettings } from './telemetry/telemetry-settings.ts';

/** Whoever asks a server waits no longer than this for its registry. `?query_timeout=` in the URL sets another. */
export const SERVING_QUERY_TIMEOUT_MS = 5000;

export interface StartServer {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly grpcPort?: number | undefined;
  readonly workers?: number | undefined;
  readonly insecure?: boolean | undefined;
  /** Of a primary of several workers; tests have less patience. */
  readonly limits?: Partial<WorkerLimits> | undefined;
}

/**
 * Starts serving by `app`'s configuration; options win over it. The app stays the caller's to close. Throws HR_CONFIG for
 * an address that cannot be had, HR_NOTHING_APPLIED, and what loading the definitions throws.
 */
export async function startServer(app: App, options: StartServer): Promise<RunningServer> {
  const { values, file } = app.config;
  const host = options.host ?? values['server.host'];
  const { port, grpcPort } = portsOf(options, values);
  const workers = options.workers ?? values['server.workers'];
  const isInsecure = options.insecure ?? values['server.insecure'];
  checkHost(host, isLoopback(host) || (await isGuarded(app)), isInsecure, app.logger);
  outliveReaders();
  // A server without definitions, or without its store, could only refuse; by another registry's it would answer wrongly.
  await needDefinitions(app);
  const { readOwnNotes, reportGuards } = await import('../online/index.ts');
  const store = await app.online();
  await readOwnNotes(store, await (await app.runs()).registry());
  reportGuards(await store.guards(), app.logger);
  if (workers === 1) {
    // Loaded here: no other command needs the server's libraries.
    const { serveInProcess } = await import('./serve-worker.ts');
    const serving = await serveInProcess(app, { host, port, grpcPort, isInsecure, releasesMemory: true });
    endDespite(serving.isModelRunning);
    const { url, grpcAddress } = serving;
    return { url, grpcAddress, workers, stop: () => serving.stop(), hurry: () => serving.hurry() };
  }
  // Once here, so that workers do not race to make the tables.
  const registry = await app.registry();
  const { superviseWorkers } = await import('./supervise-workers.ts');
  return superviseWorkers({
    workers,
    // Servers wait for each other before traffic changes: one that was killed can't say that it is gone.
    onEnd: (serverId) => registry.servers.leave(serverId).catch(() => {}),
    clock: app.clock,
    telemetry: telemetrySettings(values, app.environment),
    logger: app.logger,
    drain: drainLimits(values),
    limits: options.limits,
    start: { config: file, host, port, ...(grpcPort === undefined ? {} : { grpcPort }), isInsecure },
  });
}

/** Where the system is asked to choose the port of HTTP, it chooses that of gRPC too, if gRPC is configured at all. */
export function portsOf(
  options: Pick<StartServer, 'port' | 'grpcPort'>,
  values: Readonly<{ 'server.port': number; 'server.grpcPort'?: number | undefined }>,
): { readonly port: number; readonly grpcPort: number | undefined } {
  const port = options.port ?? values['server.port'];
  const grpcPort =
    options.grpcPort ?? (port === 0 && values['server.grpcPort'] !== undefined ? 0 : values['server.grpcPort']);
  return { port, grpcPort };
}

/** Throws HR_NOTHING_APPLIED, but where there are plain models, and what loading definitions throws. */
export async function needDefinitions(app: Pick<App, 'registry' | 'applied'>): Promise<void> {
  const { definitions, plainModels } = await app.registry();
  const isPlain = (await definitions.current()) === undefined && (await plainModels.list()).length > 0;
  if (!isPlain) await app.applied();
}

async function isGuarded(app: App): Promise<boolean> {
  if (takesTokens(app.config.values)) return true;
  const now = app.clock.nowMicros();
  return (await (await app.registry()).keys.list()).some((key) => isInForce(key, now));
}

/** Resolves when the process is asked to stop. A signal that comes after that ends it, unless somebody waits for it as well. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const signalled = (signal: NodeJS.Signals): void => {
      for (const one of STOP_SIGNALS) process.off(one, signalled);
      resolve(signal);
    };
    for (const signal of STOP_SIGNALS) process.on(signal, signalled);
  });
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

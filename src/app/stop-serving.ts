// A stop that drops nothing: readiness goes false, balancers notice, running requests end, logs flush, stores close. Every part is bounded, and
// none waits for another that it doesn't need: a stop that was asked for comes to its end.

import type { FastifyInstance } from 'fastify';
import { type Logger, within } from '../core/index.ts';
import type { GrpcServer, ServingPlanes } from '../serving/index.ts';
import { CLOSE_LIMIT_MS, type DrainLimits, MODELS_LIMIT_MS, SEND_LIMIT_MS } from './stop-limits.ts';

export interface StopServing {
  readonly planes: Pick<ServingPlanes, 'drain' | 'close'>;
  readonly server: FastifyInstance;
  /** Undefined: it is not served. */
  readonly grpc: Pick<GrpcServer, 'close' | 'cut'> | undefined;
  readonly drain: DrainLimits;
  readonly logger: Logger;
  readonly parts: {
    readonly predictionLog: { close(): Promise<void> };
    readonly minutes: { close(): Promise<void> };
    readonly guard: { close(): PromiseLike<unknown> };
    readonly models: { close(): Promise<void> };
    readonly monitor: { close(): void };
    readonly tracing: { shutdown(): Promise<void> } | undefined;
    readonly jobs: { close(): Promise<void> };
    readonly reports: { close(): Promise<void> };
    /** The materialize that it was asked for, if any. */
    readonly fills: { close(): Promise<void> };
    readonly background: { close(): Promise<void> };
  };
  /** Reports what was counted to the end. */
  lastFigures(): void;
}

export interface Stop {
  /** A second call gives the same promise. */
  stop(): Promise<void>;
  /** A stop, running or to come, gives balancers no time to notice. */
  hurry(): void;
}

export function createStop(stopped: StopServing): Stop {
  let stopping: Promise<void> | undefined;
  const { promise: hurried, resolve: hurry } = Promise.withResolvers<void>();
  return { stop: () => (stopping ??= stop(stopped, hurried)), hurry };
}

async function stop(stopped: StopServing, hurried: Promise<void>): Promise<void> {
  const { planes, server, grpc, drain, logger, parts, lastFigures } = stopped;
  planes.drain();
  // Another server may take them over from here on.
  const backgroundClosed = parts.background.close();
  if (drain.delayMs > 0) await within(hurried, drain.delayMs);
  // First, so that whoever follows one hears of it. Spines that are still coming may come as long as other requests.
  const jobsClosed = parts.jobs.close();
  const fillsClosed = parts.fills.close();
  await within(Promise.all([closeServer(server), grpc?.close(), jobsClosed, fillsClosed]), drain.timeoutMs);
  // Whoever is still being answered past the limit is cut off, or the open socket would hold the process.
  server.server.closeAllConnections();
  grpc?.cut();
  const close = async (what: string, closing: PromiseLike<unknown>, limitMs = CLOSE_LIMIT_MS): Promise<void> => {
    const closed = Promise.resolve(closing).catch((thrown: unknown) => {
      logger.error({ err: thrown }, `${what} did not close well`);
    });
    await within(closed, limitMs, () => {
      logger.warn({ limitMs }, `${what} did not close in time; the server stops without`);
    });
  };
  // First what must not be lost.
  const planesClosed = planes.close();
  await Promise.all([
    close('the prediction log', parts.predictionLog.close()),
    close('minutes', parts.minutes.close()),
    close('ingestion', planesClosed),
    close('access', parts.guard.close()),
    close('jobs', jobsClosed),
    close('a materialize', fillsClosed),
    close('reports', parts.reports.close()),
    close('background jobs', backgroundClosed),
    // They are let go of by the planes.
    within(
      planesClosed.catch(() => {}),
      CLOSE_LIMIT_MS - MODELS_LIMIT_MS,
    ).then(() => close('a model', parts.models.close(), MODELS_LIMIT_MS)),
  ]);
  lastFigures();
  if (parts.tracing !== undefined) await within(parts.tracing.shutdown(), SEND_LIMIT_MS);
  parts.monitor.close();
}

const IDLE_CHECK_MS = 20;

// A connection whose request ran when the listener closed stays open afterwards, for the client's next one: it is
// closed as soon as it is idle.
async function closeServer(server: FastifyInstance): Promise<void> {
  const timer = setInterval(() => server.server.closeIdleConnections(), IDLE_CHECK_MS);
  try {
    await server.close();
  } finally {
    clearInterval(timer);
  }
}

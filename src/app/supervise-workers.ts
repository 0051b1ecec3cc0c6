// The primary of several workers: starts them, starts a crashed one again (ever more slowly while it keeps crashing), stops
// them gracefully, and owns the totals of what they count. It serves nothing itself.

import cluster, { type Worker } from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type Clock, type ErrorCode, ERRORS, HeadraceError, type Logger } from '../core/index.ts';
import type { Totals, Tracing } from '../monitoring/index.ts';
import { createTotalsOwner, type WorkerEnd } from './own-totals.ts';
import { packageVersion } from './package-version.ts';
import type { RunningServer } from './running-server.ts';
import { type DrainLimits, killLimitMs } from './stop-limits.ts';
import { collected } from './telemetry/collected.ts';
import type { CollectedMetrics } from './telemetry/otlp-metrics.ts';
import type { TelemetrySettings } from './telemetry/telemetry-settings.ts';
import type { FromWorker, ToWorker, WorkerStart } from './worker-messages.ts';

export interface Supervise {
  readonly workers: number;
  readonly start: Omit<WorkerStart, 'compacts' | 'serverId'>;
  /** A worker has ended, however it did: nobody is to wait for it. Never throws. */
  readonly onEnd: (serverId: string) => Promise<void>;
  readonly drain: DrainLimits;
  readonly clock: Clock;
  /** Undefined: nothing is sent. */
  readonly telemetry: TelemetrySettings | undefined;
  readonly logger: Logger;
}

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A worker that lived so long did not crash at its start. */
const HEALTHY_MS = 10_000;

/** Resolves when every worker listens; throws what the first one that could not start says. */
export async function superviseWorkers(given: Supervise): Promise<RunningServer> {
  const { logger } = given;
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const exec = fileURLToPath(new URL(`./worker-main.${extension}`, import.meta.url));
  const running = new Set<Worker>();
  const owner = createTotalsOwner(given.clock);
  const telemetry =
    given.telemetry === undefined ? undefined : await sendFigures(owner.totals, given.telemetry, logger);
  let isStopping = false;
  let backoffMs = FIRST_BACKOFF_MS;

  const fork = (compacts: boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      // The settings hold for the workers forked from now on.
      const serverId = randomUUID();
      const start: WorkerStart = { ...given.start, compacts, serverId };
      cluster.setupPrimary({ exec, args: [JSON.stringify(start)] });
      const worker = cluster.fork();
      const startMs = performance.now();
      let hasListened = false;
      const end = endOf(worker);
      running.add(worker);
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'listening') {
          hasListened = true;
          owner.joined(end);
          resolve(message.url);
        } else if (message.kind === 'failed') {
          reject(
            new HeadraceError(
              Object.hasOwn(ERRORS, message.code) ? (message.code as ErrorCode) : 'HR_INTERNAL',
              message.message,
            ),
          );
        } else owner.received(end, message);
      });
      // Of what could not be written to a worker that has just died, by us or by Node's own cluster: its exit follows. Of one that
      // could not be started, which has no exit.
      worker.on('error', (error) => {
        logger.warn({ pid: worker.process.pid, reason: error.message }, 'a worker is not there');
        if (worker.process.pid !== undefined) return;
        running.delete(worker);
        reject(new HeadraceError('HR_INTERNAL', `a worker could not be started: ${error.message}`));
      });
      // After the last of its messages.
      worker.on('disconnect', () => owner.left(end));
      worker.on('exit', (code, signal) => {
        running.delete(worker);
        void given.onEnd(serverId);
        if (!hasListened)
          reject(new HeadraceError('HR_INTERNAL', `a worker ended before it listened (${signal ?? code})`));
        if (isStopping || !hasListened) return;
        backoffMs =
          performance.now() - startMs > HEALTHY_MS ? FIRST_BACKOFF_MS : Math.min(backoffMs * 2, MAX_BACKOFF_MS);
        logger.error(
          { pid: worker.process.pid, code, signal, againInMs: backoffMs },
          'a worker crashed and is started again',
        );
        owner.totals.restarted();
        restart(compacts);
      });
    });
  const restart = (compacts: boolean): void => {
    setTimeout(() => {
      if (isStopping) return;
      fork(compacts).catch((thrown: unknown) => {
        logger.error({ reason: String(thrown), againInMs: backoffMs }, 'a worker could not start');
        backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
        restart(compacts);
      });
    }, backoffMs);
  };
  const tell = (message: ToWorker): void => {
    for (const worker of running) if (worker.isConnected()) worker.send(message);
  };
  let killer: NodeJS.Timeout | undefined;
  const killAfter = (limitMs: number): void => {
    clearTimeout(killer);
    killer = setTimeout(() => {
      for (const worker of running) {
        logger.error({ pid: worker.process.pid }, 'a worker did not stop in time and is killed');
        worker.process.kill('SIGKILL');
      }
    }, limitMs);
  };
  const stop = async (): Promise<void> => {
    isStopping = true;
    const exits = [...running].map((worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve())));
    tell({ kind: 'stop' });
    killAfter(killLimitMs(given.drain));
    await Promise.all(exits);
    clearTimeout(killer);
    // With the last that they counted.
    await telemetry?.shutdown();
  };
  const hurry = (): void => {
    tell({ kind: 'hurry' });
    if (killer !== undefined) killAfter(killLimitMs({ ...given.drain, delayMs: 0 }));
  };

  try {
    const urls = await Promise.all(Array.from({ length: given.workers }, (_, index) => fork(index === 0)));
    return { url: urls[0] ?? '', workers: given.workers, stop, hurry };
  } catch (thrown) {
    hurry();
    await stop();
    throw thrown;
  }
}

// Workers send their own spans.
async function sendFigures(totals: Totals, settings: TelemetrySettings, logger: Logger): Promise<Tracing> {
  const { startTelemetry } = await import('./telemetry/start-telemetry.ts');
  const collect = (): Promise<CollectedMetrics> => Promise.resolve(collected(totals.figures()));
  return startTelemetry({ settings, version: packageVersion(), hasSpans: false, collect, logger });
}

function endOf(worker: Worker): WorkerEnd {
  return {
    id: worker.id,
    send(message) {
      if (worker.isConnected()) worker.send(message);
    },
  };
}

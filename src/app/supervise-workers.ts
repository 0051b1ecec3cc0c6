// The primary of several workers: starts them, starts one again that crashed or hung (ever more slowly while it keeps crashing), stops
// them gracefully, and owns the totals of what they count. It serves nothing itself.

import { randomUUID } from 'node:crypto';
import { type Clock, type ErrorCode, ERRORS, HeadraceError, type Logger } from '../core/index.ts';
import { admitWorkers } from './admit-workers.ts';
import { forkWorker, type WorkerProcess } from './fork-worker.ts';
import { holdFreePort } from './hold-port.ts';
import { createTotalsOwner } from './own-totals.ts';
import type { RunningServer } from './running-server.ts';
import type { DrainLimits } from './stop-limits.ts';
import { stopWorkers } from './stop-workers.ts';
import { sendTotals } from './telemetry/send-totals.ts';
import type { TelemetrySettings } from './telemetry/telemetry-settings.ts';
import { watchWorkers } from './watch-workers.ts';
import type { WorkerStart } from './worker-messages.ts';

export interface Supervise {
  readonly workers: number;
  readonly start: Omit<WorkerStart, 'compacts' | 'serverId'>;
  /** A worker has ended, however it did: nobody is to wait for it. Never throws. */
  readonly onEnd: (serverId: string) => Promise<void>;
  readonly drain: DrainLimits;
  readonly limits?: Partial<WorkerLimits> | undefined;
  readonly clock: Clock;
  /** Undefined: nothing is sent. */
  readonly telemetry: TelemetrySettings | undefined;
  readonly logger: Logger;
  /** How a worker is started; a process of Node's cluster when left out. */
  readonly fork?: typeof forkWorker;
}

/** A primary's patience. */
export interface WorkerLimits {
  /** A worker that has told nothing for so long hangs, and is killed. */
  readonly silenceMs: number;
  /** A worker in place of another takes connections after so long though it is not ready and others are. */
  readonly unreadyMs: number;
}

const WORKER_LIMITS: WorkerLimits = { silenceMs: 30_000, unreadyMs: 30_000 };
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A worker that lived so long did not crash at its start. */
const HEALTHY_MS = 10_000;

type Listening = Pick<RunningServer, 'url' | 'grpcAddress'>;

/** Resolves when every worker listens; throws what the first one that could not start says. */
export async function superviseWorkers(given: Supervise): Promise<RunningServer> {
  const { logger, fork: startWorker = forkWorker } = given;
  const limits = { ...WORKER_LIMITS, ...given.limits };
  const running = new Set<WorkerProcess>();
  const listening = new Set<WorkerProcess>();
  const owner = createTotalsOwner(given.clock);
  const telemetry = given.telemetry === undefined ? undefined : await sendTotals(owner.totals, given.telemetry, logger);
  const { host } = given.start;
  const heldPort = given.start.port === 0 ? await holdFreePort(host) : undefined;
  const heldGrpcPort = given.start.grpcPort === 0 ? await holdFreePort(host) : undefined;
  const port = heldPort?.port ?? given.start.port;
  const grpcPort = heldGrpcPort?.port ?? given.start.grpcPort;
  const release = async (): Promise<void> => {
    await Promise.all([heldPort?.release(), heldGrpcPort?.release()]);
  };
  const admission = admitWorkers({ limitMs: limits.unreadyMs, logger });
  const watch = watchWorkers<WorkerProcess>({
    limitMs: limits.silenceMs,
    onSilent(worker, silentMs) {
      logger.error({ pid: worker.pid, silentMs }, 'a worker told nothing for too long and is killed');
      worker.kill();
    },
  });
  const stopping = stopWorkers({ workers: running, drain: given.drain, logger });
  let isStopping = false;
  let backoffMs = FIRST_BACKOFF_MS;

  const fork = (compacts: boolean, isReplacement: boolean): Promise<Listening> =>
    new Promise((resolve, reject) => {
      const serverId = randomUUID();
      const startMs = performance.now();
      let hasListened = false;
      const worker = startWorker(
        { ...given.start, port, ...(grpcPort === undefined ? {} : { grpcPort }), compacts, serverId },
        {
          received(message) {
            // What it said last may be read after its end.
            const isThere = running.has(worker);
            if (isThere) watch.heard(worker);
            if (message.kind === 'up') {
              const { isReady } = message;
              void release().then(() => admission.up(admitted, { isReady, isReplacement }));
            } else if (message.kind === 'listening') {
              hasListened = true;
              if (isThere) listening.add(worker);
              owner.joined(worker);
              resolve({ url: message.url, grpcAddress: message.grpcAddress });
            } else if (message.kind === 'failed') {
              const code = Object.hasOwn(ERRORS, message.code) ? (message.code as ErrorCode) : 'HR_INTERNAL';
              reject(new HeadraceError(code, message.message));
            } else {
              if (message.kind === 'report') admission.reported(admitted, message.report.readings.isReady);
              owner.received(worker, message);
            }
          },
          // By us, or by Node's own cluster.
          missing(reason) {
            logger.warn({ pid: worker.pid, reason }, 'a worker is not there');
            if (worker.pid !== undefined) return;
            running.delete(worker);
            reject(new HeadraceError('HR_INTERNAL', `a worker could not be started: ${reason}`));
          },
          hasOthers: () => [...listening].some((other) => other !== worker),
          left() {
            listening.delete(worker);
            owner.left(worker);
            admission.left(admitted);
          },
          ended({ code, signal }) {
            running.delete(worker);
            // Node's cluster gives it no connection from here on, whether or not its channel's end was seen.
            listening.delete(worker);
            watch.left(worker);
            void given.onEnd(serverId);
            if (!hasListened)
              reject(new HeadraceError('HR_INTERNAL', `a worker ended before it listened (${signal ?? code})`));
            if (isStopping || !hasListened) return;
            backoffMs =
              performance.now() - startMs > HEALTHY_MS ? FIRST_BACKOFF_MS : Math.min(backoffMs * 2, MAX_BACKOFF_MS);
            logger.error(
              { pid: worker.pid, code, signal, againInMs: backoffMs },
              'a worker crashed and is started again',
            );
            owner.totals.restarted();
            restart(compacts);
          },
        },
      );
      const admitted = { pid: worker.pid, listen: () => worker.send({ kind: 'listen' }) };
      running.add(worker);
    });
  const restart = (compacts: boolean): void => {
    setTimeout(() => {
      if (isStopping) return;
      fork(compacts, true).catch((thrown: unknown) => {
        logger.error({ reason: String(thrown), againInMs: backoffMs }, 'a worker could not start');
        backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
        restart(compacts);
      });
    }, backoffMs);
  };

  const stop = async (): Promise<void> => {
    isStopping = true;
    watch.close();
    await stopping.stop();
    // With the last that they counted.
    await telemetry?.shutdown();
  };

  try {
    const [first] = await Promise.all(Array.from({ length: given.workers }, (_, index) => fork(index === 0, false)));
    const { url, grpcAddress } = first as Listening;
    return { url, grpcAddress, workers: given.workers, stop, hurry: stopping.hurry };
  } catch (thrown) {
    stopping.hurry();
    await stop();
    await release();
    throw thrown;
  }
}

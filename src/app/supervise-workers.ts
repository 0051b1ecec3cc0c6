// The primary of several workers: starts them, starts a crashed one again (ever more slowly while it keeps crashing), stops
// them gracefully, and passes figures between them. It serves nothing itself.

import cluster, { type Worker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, ERRORS, HeadraceError, type Logger } from '../core/index.ts';
import type { RunningServer } from './start-server.ts';
import type { FromWorker, ToWorker, WorkerStart } from './worker-messages.ts';

export interface Supervise {
  readonly workers: number;
  readonly start: Omit<WorkerStart, 'compacts'>;
  readonly drainTimeoutMs: number;
  readonly logger: Logger;
}

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A worker that lived so long did not crash at its start. */
const HEALTHY_MS = 10_000;
const GATHER_LIMIT_MS = 500;

/** Resolves when every worker listens; throws what the first one that could not start says. */
export async function superviseWorkers(given: Supervise): Promise<RunningServer> {
  const { logger } = given;
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const exec = fileURLToPath(new URL(`./worker-main.${extension}`, import.meta.url));
  const running = new Set<Worker>();
  const gather = createGathering(running);
  let isStopping = false;
  let backoffMs = FIRST_BACKOFF_MS;

  const fork = (compacts: boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      // The settings hold for the workers forked from now on.
      cluster.setupPrimary({ exec, args: [JSON.stringify({ ...given.start, compacts } satisfies WorkerStart)] });
      const worker = cluster.fork();
      const startMs = performance.now();
      let hasListened = false;
      running.add(worker);
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'listening') {
          hasListened = true;
          resolve(message.url);
        } else if (message.kind === 'failed') {
          reject(
            new HeadraceError(
              Object.hasOwn(ERRORS, message.code) ? (message.code as ErrorCode) : 'HR_INTERNAL',
              message.message,
            ),
          );
        } else gather(worker, message);
      });
      worker.on('exit', (code, signal) => {
        running.delete(worker);
        if (!hasListened)
          reject(new HeadraceError('HR_INTERNAL', `a worker ended before it listened (${signal ?? code})`));
        if (isStopping || !hasListened) return;
        backoffMs =
          performance.now() - startMs > HEALTHY_MS ? FIRST_BACKOFF_MS : Math.min(backoffMs * 2, MAX_BACKOFF_MS);
        logger.error(
          { pid: worker.process.pid, code, signal, againInMs: backoffMs },
          'a worker crashed and is started again',
        );
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
  const stop = async (): Promise<void> => {
    isStopping = true;
    const exits = [...running].map((worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve())));
    for (const worker of running) if (worker.isConnected()) worker.send({ kind: 'stop' } satisfies ToWorker);
    const killer = setTimeout(() => {
      for (const worker of running) worker.process.kill('SIGKILL');
    }, given.drainTimeoutMs + 2000);
    await Promise.all(exits);
    clearTimeout(killer);
  };

  try {
    const urls = await Promise.all(Array.from({ length: given.workers }, (_, index) => fork(index === 0)));
    return { url: urls[0] ?? '', workers: given.workers, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

// One worker asks, all are asked, and what came within the limit goes back to the one.
function createGathering(running: ReadonlySet<Worker>): (from: Worker, message: FromWorker) => void {
  const open = new Map<number, { readonly states: unknown[]; readonly waiting: number; readonly finish: () => void }>();
  let lastAsk = 0;
  const send = (worker: Worker, message: ToWorker): void => {
    if (worker.isConnected()) worker.send(message);
  };
  return (from, message) => {
    if (message.kind === 'gather') {
      const ask = ++lastAsk;
      const states: unknown[] = [];
      const finish = (): void => {
        if (open.delete(ask)) send(from, { kind: 'gathered', ask: message.ask, states });
      };
      open.set(ask, { states, waiting: running.size, finish });
      for (const worker of running) send(worker, { kind: 'collect', ask });
      setTimeout(finish, GATHER_LIMIT_MS).unref();
    } else if (message.kind === 'state') {
      const gathering = open.get(message.ask);
      if (gathering === undefined) return;
      gathering.states.push(message.state);
      if (gathering.states.length >= gathering.waiting) gathering.finish();
    }
  };
}

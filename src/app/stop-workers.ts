// The stop of all workers: each is told, and one that is still there after all that a stop may take is killed.

import type { Logger } from '../core/index.ts';
import type { WorkerProcess } from './fork-worker.ts';
import { type DrainLimits, killLimitMs } from './stop-limits.ts';

export interface WorkersStop {
  /** Resolves when all have ended. */
  stop(): Promise<void>;
  /** They give balancers no time to notice. */
  hurry(): void;
}

export function stopWorkers(given: {
  /** Those that are there at any time. */
  readonly workers: ReadonlySet<WorkerProcess>;
  readonly drain: DrainLimits;
  readonly logger: Logger;
}): WorkersStop {
  const { workers, drain, logger } = given;
  let killer: NodeJS.Timeout | undefined;
  const killAfter = (limitMs: number): void => {
    clearTimeout(killer);
    killer = setTimeout(() => {
      for (const worker of workers) {
        logger.error({ pid: worker.pid }, 'a worker did not stop in time and is killed');
        worker.kill();
      }
    }, limitMs);
  };
  return {
    async stop() {
      for (const worker of workers) worker.send({ kind: 'stop' });
      killAfter(killLimitMs(drain));
      await Promise.all([...workers].map(({ ended }) => ended));
      clearTimeout(killer);
    },
    hurry() {
      for (const worker of workers) worker.send({ kind: 'hurry' });
      if (killer !== undefined) killAfter(killLimitMs({ ...drain, delayMs: 0 }));
    },
  };
}

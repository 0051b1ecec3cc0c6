// Runs background jobs, each under a lease of its own: the server that has it keeps it, and runs the job time and again, until
// it stops, or dies, or can't reach the database. Then another takes over.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, messageOf } from '../../core/index.ts';
import { type Database, type Lease, migrateLeases, takeLease } from '../../storage/index.ts';
import type { BackgroundJob } from './background-job.ts';

export interface RunJobs {
  readonly jobs: readonly BackgroundJob[];
  readonly database: Database;
  /** Who holds the leases: this process, as no other is called. */
  readonly holder: string;
  readonly logger: Logger;
  /** Tests have less patience. */
  readonly limits?: Partial<JobLimits>;
}

export interface JobLimits {
  readonly ttlMs: number;
  /** How often a lease is renewed, or asked for. */
  readonly renewEveryMs: number;
  /** Until a run that failed is tried again; doubled with each failure that follows, up to the job's own interval. */
  readonly retryMs: number;
}

const LIMITS: JobLimits = { ttlMs: 15_000, renewEveryMs: 5_000, retryMs: 1_000 };

/** Starts them; the function that comes back stops them, and resolves when those that run have ended. Neither throws. */
export function startJobs({ jobs, database, holder, logger, limits: given }: RunJobs): () => Promise<void> {
  const limits = { ...LIMITS, ...given };
  const stopping = new AbortController();
  const { signal } = stopping;
  const toldOf = new Set<string>();
  let migrated: Promise<unknown> | undefined;
  const migrate = async (): Promise<void> => {
    migrated ??= migrateLeases(database);
    await migrated.catch((thrown: unknown) => {
      migrated = undefined;
      throw thrown;
    });
  };

  const tend = async (job: BackgroundJob): Promise<void> => {
    while (!signal.aborted) {
      try {
        await migrate();
        const lease = await takeLease(database, { name: `job ${job.name}`, holder, ttlMs: limits.ttlMs });
        toldOf.delete(job.name);
        if (lease !== undefined) {
          await hold(job, lease);
          continue;
        }
      } catch (thrown) {
        // Once, until it comes back.
        if (!toldOf.has(job.name))
          logger.warn({ job: job.name, reason: messageOf(thrown) }, 'a job waits for the database');
        toldOf.add(job.name);
      }
      await pause(limits.renewEveryMs, signal);
    }
  };

  /** Resolves when the lease is another's or given back, and the job has ended. */
  const hold = async (job: BackgroundJob, lease: Lease): Promise<void> => {
    const lost = new AbortController();
    const ended = AbortSignal.any([signal, lost.signal]);
    const renewing = renew(lease, lost, ended);
    await repeat(job, lease, ended);
    await renewing;
    // Where it can't be given back it runs out.
    if (!lost.signal.aborted) await lease.release().catch(() => {});
  };

  const renew = async (lease: Lease, lost: AbortController, ended: AbortSignal): Promise<void> => {
    let renewedMs = performance.now();
    while (!ended.aborted) {
      await pause(limits.renewEveryMs, ended);
      if (ended.aborted) return;
      const askedMs = performance.now();
      try {
        if (await lease.renew()) renewedMs = askedMs;
        else lost.abort();
      } catch {
        // A database that is away may be back before the lease has run out.
        if (performance.now() - renewedMs > limits.ttlMs) lost.abort();
      }
    }
  };

  const repeat = async (job: BackgroundJob, lease: Lease, ended: AbortSignal): Promise<void> => {
    let retryMs = limits.retryMs;
    while (!ended.aborted) {
      const startMs = performance.now();
      let waitMs = job.everyMs;
      try {
        await job.run(ended, lease);
        retryMs = limits.retryMs;
      } catch (thrown) {
        if (ended.aborted) return;
        waitMs = Math.min(retryMs, job.everyMs);
        retryMs *= 2;
        logger.error({ err: thrown, job: job.name, againInMs: waitMs }, 'a job failed; it is tried again');
      }
      await pause(startMs + waitMs - performance.now(), ended);
    }
  };

  const tended = Promise.all(jobs.map(tend));
  return async () => {
    stopping.abort();
    await tended;
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // It is cut short, and whoever waits looks itself.
  await sleep(Math.max(0, ms), undefined, { signal, ref: false }).catch(() => {});
}

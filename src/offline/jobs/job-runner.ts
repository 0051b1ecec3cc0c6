// Runs the jobs of one serving process, each in a process of its own, and looks after those of others that died. Whoever took a
// spine owns its job to the end: the spine lies on its disk. It looks at the table a few times a second while it has jobs.

import { type Clock, type Logger, messageOf, MICROS_PER_DAY } from '../../core/index.ts';
import type { JobError, JobProgress } from './job.ts';
import type { JobFolders } from './job-folder.ts';
import type { JobEnd, JobProcess, StartJobProcess } from './job-process.ts';
import { createJobWatch } from './job-watch.ts';
import type { Ending, JobTable, LiveJob } from './job-table.ts';

export interface JobTimes {
  /** How often it looks at the table. */
  readonly lookMs: number;
  /** How often an owner tells that it lives. */
  readonly beatMs: number;
  /** An owner that did not for so long is dead. */
  readonly deadMs: number;
  /** A job that nobody asks about for so long is cancelled. */
  readonly leaseMs: number;
  /** How often what the dead left is looked for. */
  readonly tidyMs: number;
}

export const JOB_TIMES: JobTimes = { lookMs: 250, beatMs: 2000, deadMs: 15_000, leaseMs: 30_000, tidyMs: 3000 };

export interface JobRunnerDeps {
  readonly table: JobTable;
  readonly folders: JobFolders;
  readonly start: StartJobProcess;
  /** This process, as no other is called. */
  readonly owner: string;
  /** Jobs of all owners that run at once. */
  readonly atOnce: number;
  readonly times: JobTimes;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface JobRunner {
  /** From now on the job is this process' own: it tells that it lives. */
  take(id: string, facts: { readonly isLocal: boolean; readonly isDetached: boolean }): void;
  /** Its spine did not come. */
  leave(id: string): void;
  /** Its spine is there, and it waits its turn. */
  ready(id: string): void;
  /** Somebody asked. False where the job is another's. */
  asked(id: string): boolean;
  /** Undefined where the job is another's; else resolves once it has ended. */
  cancel(id: string, why: JobError): Promise<void> | undefined;
  /** Resolves at the job's next change that this process sees, or after so long. */
  changed(id: string, limitMs: number): Promise<void>;
  /** Cancels what it has. */
  close(): Promise<void>;
}

interface OwnJob {
  readonly isLocal: boolean;
  readonly isDetached: boolean;
  asks: number;
  askedMs: number;
  isQueued: boolean;
  process: JobProcess | undefined;
  cancelled: JobError | undefined;
  isEnding: boolean;
  readonly ended: PromiseWithResolvers<void>;
}

const FINISH_RETRY_MS = 1000;
/** Of progress, to the table. */
const TOLD_EVERY_MS = 500;
const KEPT_JOBS = 1000;
const PRUNE_EVERY_MS = 60_000;

export function createJobRunner(deps: JobRunnerDeps): JobRunner {
  const { table, folders, owner, times, clock, logger } = deps;
  const own = new Map<string, OwnJob>();
  const watch = createJobWatch(owner, times.deadMs);
  const waiters = new Map<string, Set<() => void>>();
  let [beatMs, tidyMs, prunedMs] = [-Infinity, -Infinity, -Infinity];
  let isLooking = false;
  let isClosing = false;

  const tellChanged = (id: string): void => {
    for (const wake of waiters.get(id) ?? []) wake();
  };

  const end = async (id: string, job: OwnJob, ending: Omit<Ending, 'atMicros'>): Promise<void> => {
    if (job.isEnding) return job.ended.promise;
    job.isEnding = true;
    // Before it is told: whoever hears that it ended finds nothing of it.
    await folders.remove(id).catch((thrown: unknown) => {
      logger.warn({ job: id, reason: messageOf(thrown) }, 'files of a job could not be removed');
    });
    for (;;) {
      try {
        await table.finish(id, { ...ending, atMicros: clock.nowMicros() }, { owner });
        break;
      } catch (thrown) {
        logger.warn({ job: id, reason: messageOf(thrown) }, 'the end of a job could not be told');
        // Others tell that it is lost.
        if (isClosing) break;
        await new Promise((resolve) => setTimeout(resolve, FINISH_RETRY_MS));
      }
    }
    own.delete(id);
    logger.info({ job: id, state: ending.state, error: ending.error?.code }, 'a job of a training set ended');
    job.ended.resolve();
    tellChanged(id);
  };

  const launch = ({ id, request }: LiveJob, job: OwnJob): void => {
    let result: Omit<Ending, 'atMicros'> | undefined;
    let toldMs = -Infinity;
    let lastStep: string | undefined;
    const tell = (progress: JobProgress): void => {
      const nowMs = performance.now();
      const isNews = progress.step !== lastStep || progress.done === progress.total;
      if (!isNews && nowMs - toldMs < TOLD_EVERY_MS) return;
      [lastStep, toldMs] = [progress.step, nowMs];
      table.progress(id, owner, progress).then(
        () => tellChanged(id),
        () => {},
      );
    };
    job.process = deps.start({ id, request, folder: folders.pathOf(id), isLocal: job.isLocal }, (message) => {
      if (message.kind === 'progress') tell(message.progress);
      else if (message.kind === 'done') {
        const { trainingSet, unshipped } = message;
        result = { state: 'done', trainingSet, unshipped, error: null };
      } else result = { state: 'failed', trainingSet: null, error: message.error };
    });
    if (job.cancelled !== undefined) job.process.kill();
    void job.process.ended.then((how) => end(id, job, result ?? endingOf(job, how)));
  };

  const cancel = (id: string, job: OwnJob, why: JobError): Promise<void> => {
    job.cancelled ??= why;
    if (job.process !== undefined) job.process.kill();
    else if (job.isQueued) void end(id, job, { state: 'cancelled', trainingSet: null, error: why });
    return job.ended.promise;
  };

  const lookAtOwn = async (live: readonly LiveJob[]): Promise<void> => {
    for (const [id, job] of own) {
      const row = live.find((one) => one.id === id);
      if (row === undefined || row.owner !== owner) {
        // One that it took a moment ago is not in what was read before.
        if (!job.isEnding && job.process !== undefined) job.process.kill();
        continue;
      }
      if (row.asks !== job.asks) [job.asks, job.askedMs] = [row.asks, performance.now()];
      job.isQueued = row.state === 'queued';
      if (row.isCancelAsked) void cancel(id, job, { code: 'HR_CANCELLED', message: 'it was cancelled.' });
      else if (row.state !== 'arriving' && !job.isDetached && performance.now() - job.askedMs > times.leaseMs)
        void cancel(id, job, { code: 'HR_CANCELLED', message: nobodyAsked(times.leaseMs) });
    }
    while (!isClosing && [...own.values()].some(({ isQueued, isEnding }) => isQueued && !isEnding)) {
      const next = await table.startNext(owner, deps.atOnce);
      const job = next === undefined ? undefined : own.get(next.id);
      if (next === undefined || job === undefined) break;
      if (!job.isEnding) launch(next, job);
      job.isQueued = false;
    }
  };

  const tidy = async (): Promise<void> => {
    // Folders first: a job's row is there before its folder is.
    const there = await folders.list();
    const live = await table.live();
    for (const { id, owner: dead, beats } of watch.dead(live, performance.now())) {
      const error: JobError = { code: 'HR_JOB_LOST', message: 'the server that ran it ended. Ask for it again.' };
      const ending: Ending = { state: 'failed', trainingSet: null, error, atMicros: clock.nowMicros() };
      if (await table.finish(id, ending, { owner: dead, beats })) {
        logger.warn({ job: id, owner: dead }, 'a job was lost: its server ended');
        tellChanged(id);
      }
    }
    // What could not be told while the registry was away.
    for (const { id, owner: mine } of live) if (mine === owner && !own.has(id)) await table.forget(id);
    const kept = new Set([...live.map(({ id }) => id), ...own.keys()]);
    for (const id of there) if (!kept.has(id)) await folders.remove(id);
    if (performance.now() - prunedMs < PRUNE_EVERY_MS) return;
    prunedMs = performance.now();
    await table.prune(clock.nowMicros() - MICROS_PER_DAY, KEPT_JOBS);
  };

  const look = async (): Promise<void> => {
    if (isLooking) return;
    isLooking = true;
    try {
      const nowMs = performance.now();
      if (own.size > 0 && nowMs - beatMs >= times.beatMs) {
        beatMs = nowMs;
        await table.beat(owner);
      }
      if (own.size > 0) await lookAtOwn(await table.live());
      if (nowMs - tidyMs >= times.tidyMs && !isClosing) {
        tidyMs = nowMs;
        await tidy();
      }
    } catch (thrown) {
      logger.warn({ reason: messageOf(thrown) }, 'the jobs of training sets could not be looked at');
    } finally {
      isLooking = false;
    }
  };
  const timer = setInterval(() => void look(), times.lookMs);
  timer.unref();

  return {
    take(id, facts) {
      const ended = Promise.withResolvers<void>();
      const fresh = { asks: 0, askedMs: performance.now(), isQueued: false, process: undefined, cancelled: undefined };
      own.set(id, { ...facts, ...fresh, isEnding: false, ended });
    },
    leave(id) {
      own.get(id)?.ended.resolve();
      own.delete(id);
    },
    ready(id) {
      const job = own.get(id);
      if (job === undefined) return;
      job.isQueued = true;
      job.askedMs = performance.now();
      void look();
    },
    asked(id) {
      const job = own.get(id);
      if (job !== undefined) job.askedMs = performance.now();
      return job !== undefined;
    },
    cancel(id, why) {
      const job = own.get(id);
      return job === undefined ? undefined : cancel(id, job, why);
    },
    changed(id, limitMs) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const waiting = waiters.get(id) ?? new Set();
      waiters.set(id, waiting.add(resolve));
      const limit = setTimeout(resolve, limitMs);
      return promise.finally(() => {
        clearTimeout(limit);
        waiting.delete(resolve);
        if (waiting.size === 0 && waiters.get(id) === waiting) waiters.delete(id);
      });
    },
    async close() {
      isClosing = true;
      clearInterval(timer);
      const why: JobError = { code: 'HR_STOPPING', message: 'the server that ran it was stopped. Ask for it again.' };
      // Of one whose spine is still coming its connection is cut.
      const cancelled = [...own].filter(([, { isQueued, process }]) => isQueued || process !== undefined);
      await Promise.all(cancelled.map(([id, job]) => cancel(id, job, why)));
    },
  };
}

const nobodyAsked = (leaseMs: number): string =>
  `nobody asked about it for ${leaseMs / 1000} s. With detached=true it goes on by itself.`;

function endingOf({ cancelled }: OwnJob, { code, signal }: JobEnd): Omit<Ending, 'atMicros'> {
  if (cancelled !== undefined) return { state: 'cancelled', trainingSet: null, error: cancelled };
  const how = signal ?? `exit code ${String(code)}`;
  const message = OUT_OF_MEMORY.has(how)
    ? `its process was killed (${how}), most likely because memory ran out. Give the machine more, or lower offline.memory, which DuckDB keeps to.`
    : `its process ended (${how}) before it was done; the server’s log may have why.`;
  return { state: 'failed', trainingSet: null, error: { code: 'HR_JOB_LOST', message } };
}

/** How a process ends that the system killed for memory, or whose JavaScript had none left. */
const OUT_OF_MEMORY: ReadonlySet<string> = new Set(['SIGKILL', 'SIGABRT', 'exit code 134', 'exit code 137']);

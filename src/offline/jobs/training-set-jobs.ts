// Jobs of training sets, as whoever translates a protocol calls them: ask for one, look at it, cancel it. Any process of a
// registry answers about any job.

import { createHash, randomUUID } from 'node:crypto';
import { canonicalJson, HeadraceError } from '../../core/index.ts';
import type { Manifest } from '../../definitions/index.ts';
import type { Database } from '../../storage/index.ts';
import { planTrainingSet } from '../plan.ts';
import { type Closing, createClosing } from './closing.ts';
import { isFinished, type Job, type JobRequest } from './job.ts';
import { createJobFolders, sentSpine } from './job-folder.ts';
import type { StartJobProcess } from './job-process.ts';
import { createJobRunner, JOB_TIMES, type JobRunnerDeps, type JobTimes } from './job-runner.ts';
import { type Admission, openJobTable } from './job-table.ts';
import { hashSpine, receiveSpine } from './receive-spine.ts';

export interface TrainingSetJobs {
  /**
   * Takes the spine, none where its address was given, and gives the job that waits its turn; where one was asked for under the
   * same key, that one. Errors: HR_UNKNOWN_SERVICE, HR_OVERLOADED, HR_IDEMPOTENCY, HR_JOB_UNDER_WAY, HR_STOPPING,
   * HR_STORAGE_FULL, HR_STORAGE_UNAVAILABLE, and what the spine throws: then nothing is left of it.
   */
  create(asked: AskedJob, spine: AsyncIterable<Uint8Array> | undefined): Promise<Job>;
  /** Counts as asking about it. Throws HR_UNKNOWN_JOB. */
  get(id: string): Promise<Job>;
  /** Resolves when the job may have changed, after `limitMs` at the latest. */
  changed(id: string, limitMs: number): Promise<void>;
  /** Gives the job once it has ended. Throws HR_UNKNOWN_JOB. */
  cancel(id: string): Promise<Job>;
  /** Cancels those of this process. */
  close(): Promise<void>;
}

export interface AskedJob {
  readonly request: JobRequest;
  /** Whose keys are told apart. */
  readonly actor: string;
  readonly isLocal: boolean;
  readonly idempotencyKey: string | undefined;
}

export interface TrainingSetJobsDeps extends Pick<JobRunnerDeps, 'owner' | 'atOnce' | 'clock' | 'logger'> {
  readonly database: Database;
  readonly dataDirectory: string;
  readonly start: StartJobProcess;
  /** What is applied now. Throws HR_NOTHING_APPLIED. */
  readonly manifest: () => Promise<Manifest>;
  /** Jobs that wait, those whose spine still comes too. */
  readonly queued: number;
  readonly times?: Partial<JobTimes>;
}

/** How often somebody's asking is told to another owner. */
const ASK_EVERY_MS = 5000;
const CANCEL_LIMIT_MS = 5000;
const LOOK_MS = 100;

export async function openTrainingSetJobs(deps: TrainingSetJobsDeps): Promise<TrainingSetJobs> {
  const { owner, clock, logger } = deps;
  const table = await openJobTable(deps.database);
  const folders = createJobFolders(deps.dataDirectory);
  const runner = createJobRunner({ ...deps, table, folders, times: { ...JOB_TIMES, ...deps.times } });
  const askedMs = new Map<string, number>();
  const creating = new Set<Promise<unknown>>();
  const closing = createClosing();

  const read = async (id: string): Promise<Job> => {
    const job = await table.read(id);
    if (job !== undefined) return job;
    throw new HeadraceError('HR_UNKNOWN_JOB', `there is no job "${id.slice(0, 100)}" of a training set.`);
  };

  const tellAsked = async ({ id, state }: Job): Promise<void> => {
    if (isFinished(state)) {
      askedMs.delete(id);
      return;
    }
    if (runner.asked(id)) return;
    const nowMs = performance.now();
    if (nowMs - (askedMs.get(id) ?? -Infinity) < ASK_EVERY_MS) return;
    if (askedMs.size > MOST_ASKED) askedMs.clear();
    askedMs.set(id, nowMs);
    await table.ask(id);
  };

  const receive = async (id: string, asked: AskedJob, spine: AsyncIterable<Uint8Array> | undefined): Promise<Job> => {
    const { request, idempotencyKey } = asked;
    try {
      const folder = await folders.make(id);
      const hash = idempotencyKey === undefined ? undefined : createHash('sha256');
      if (spine !== undefined && request.spine.kind !== 'address')
        await receiveSpine(until(spine, closing), sentSpine(folder, request.spine.kind), hash);
      if (closing.reason !== undefined) throw closing.reason;
      if (!(await table.arrived(id, hash?.digest('hex') ?? null)))
        throw new HeadraceError('HR_JOB_LOST', 'the job was given up while its spine arrived. Send it again.');
    } catch (thrown) {
      await folders.remove(id);
      await table.forget(id);
      throw thrown;
    }
    runner.ready(id);
    return read(id);
  };

  const repeat = async (
    { job, isArriving, first }: Extract<Admission, { kind: 'repeat' }>,
    request: JobRequest,
    spine: AsyncIterable<Uint8Array> | undefined,
  ): Promise<Job> => {
    if (isArriving)
      throw new HeadraceError('HR_JOB_UNDER_WAY', 'the spine of the first request with this key is still arriving.');
    const hash = spine === undefined ? createHash('sha256').digest('hex') : await hashSpine(spine);
    if (canonicalJson(first.request) !== canonicalJson(request) || first.bodyHash !== hash)
      throw new HeadraceError(
        'HR_IDEMPOTENCY',
        'this Idempotency-Key came before with another spine or other parameters.',
      );
    return job;
  };

  const create: TrainingSetJobs['create'] = async (asked, spine) => {
    const { request, actor, idempotencyKey = null } = asked;
    if (closing.reason !== undefined) throw closing.reason;
    planTrainingSet(await deps.manifest(), request);
    const id = randomUUID();
    const job = { id, owner, actor, idempotencyKey, request, createdAtMicros: clock.nowMicros() };
    // Before anybody sees its row.
    runner.take(id, { isLocal: asked.isLocal, isDetached: request.isDetached });
    try {
      const admission = await table.admit(job, deps.atOnce + deps.queued);
      if (admission.kind === 'admitted') {
        logger.info({ job: id, actor, service: request.service }, 'a training set is asked for');
        return await receive(id, asked, spine);
      }
      runner.leave(id);
      if (admission.kind === 'repeat') return await repeat(admission, request, spine);
      const sentence = `${admission.jobs} training sets are made or wait (server.trainingSetJobs, server.trainingSetQueue). Retry later.`;
      throw new HeadraceError('HR_OVERLOADED', sentence);
    } catch (thrown) {
      runner.leave(id);
      throw thrown;
    }
  };

  return {
    create(asked, spine) {
      const made = create(asked, spine);
      const settled = made.catch(() => {}).finally(() => creating.delete(settled));
      creating.add(settled);
      return made;
    },
    async get(id) {
      const job = await read(id);
      await tellAsked(job);
      return job;
    },
    changed: (id, limitMs) => runner.changed(id, limitMs),
    async cancel(id) {
      if (isFinished((await read(id)).state)) return read(id);
      const ended = runner.cancel(id, { code: 'HR_CANCELLED', message: 'it was cancelled.' });
      if (ended === undefined) await table.askToCancel(id);
      else await ended;
      const limitMs = performance.now() + CANCEL_LIMIT_MS;
      for (;;) {
        const job = await read(id);
        if (isFinished(job.state) || performance.now() > limitMs) return job;
        await runner.changed(id, LOOK_MS);
      }
    },
    async close() {
      closing.close(new HeadraceError('HR_STOPPING', 'the server is stopping. Ask for it again elsewhere.'));
      await runner.close();
      await Promise.all(creating);
    },
  };
}

const MOST_ASKED = 1000;

/** What comes; whoever waits for more is told at once that it was closed. */
async function* until(pieces: AsyncIterable<Uint8Array>, closing: Closing): AsyncGenerator<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  for (;;) {
    const next = await closing.unlessClosed(iterator.next());
    if (next.done === true) return;
    yield next.value;
  }
}

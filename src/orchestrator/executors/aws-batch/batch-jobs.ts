// Jobs of AWS Batch on one queue: a slice is an array whose children are its parts, found again by its name.

import { createLastUsed, HeadraceError, type Logger } from '../../../core/index.ts';
import type { ClusterJob, ClusterJobs, PartEnd } from '../cluster/cluster-jobs.ts';
import { createAskBatch, Refused } from './ask-batch.ts';
import { cancelJobs } from './cancel-jobs.ts';
import { type BatchConnection, connectBatch } from './connect-batch.ts';
import { jobDefinitions } from './job-definitions.ts';
import { jobRequest } from './job-request.ts';
import { namedJobs } from './named-jobs.ts';
import { watchJobs } from './watch-jobs.ts';

export interface BatchJobsOptions {
  /** Of the account and region that the AWS environment names; a name or an ARN. */
  readonly queue: string;
  /** A name, with or without `:revision`, or an ARN. */
  readonly definition: string;
  readonly logger: Logger;
  /** How long Batch may say nothing. Default: 30 s. */
  readonly silenceMs?: number;
  /** How long what it throttles or does not answer is asked again. Default: 2 minutes. */
  readonly giveUpMs?: number;
  /** Default: 2 s, and longer by and by where nothing ends. */
  readonly lookMs?: number;
  /** Default: 30 s. */
  readonly missingMs?: number;
  /** After how long a submit is looked after for another of its name. Default: 10 s. */
  readonly settleMs?: number;
}

/** Batch's own most. */
const MOST_PARTS = 10_000;
const SUBMITS_PER_SECOND = 50;
const CALLS_PER_SECOND = 20;
/** The id of a job that Batch has refused: it has none there. */
const NO_JOB = 'refused';

export function openBatchJobs(options: BatchJobsOptions): ClusterJobs {
  const { queue, definition, logger, silenceMs = 30_000, giveUpMs = 120_000, lookMs = 2000 } = options;
  const { missingMs = 30_000, settleMs = 10_000 } = options;
  let opened: Promise<BatchConnection> | undefined;
  const connection = (): Promise<BatchConnection> => (opened ??= connectBatch(silenceMs));
  const closing = new AbortController();
  const ask = createAskBatch(connection, {
    closing: closing.signal,
    giveUpMs,
    submitsPerSecond: SUBMITS_PER_SECOND,
    callsPerSecond: CALLS_PER_SECOND,
  });
  const named = namedJobs(ask, queue);
  const definitionFor = jobDefinitions(ask, definition);
  const watching = watchJobs(ask, { lookMs, longestLookMs: Math.max(lookMs, 10_000), missingMs, logger });
  /** Ids by name, for lists know of a job a moment after it is there. */
  const known = createLastUsed<string, Promise<string>>(20_000);
  const refusals = createLastUsed<string, string>(20_000);
  const settling = new Set<NodeJS.Timeout>();

  /** Two drivers, one of them stopped in between, may both have seen no job of a name: the later one's is ended. */
  const settle = (name: string): void => {
    const timer = setTimeout(() => {
      settling.delete(timer);
      named.first(name).then(
        (first) => {
          if (first !== undefined) known.set(name, Promise.resolve(first));
        },
        (error: unknown) => {
          if (!closing.signal.aborted)
            logger.warn({ error: String(error) }, `repeats of the job ${name} could not be looked for`);
        },
      );
    }, settleMs);
    timer.unref();
    settling.add(timer);
  };

  const submitOne = async (job: ClusterJob): Promise<string> => {
    try {
      const found = await named.first(job.name);
      if (found !== undefined) return found;
      const request = jobRequest(queue, await definitionFor(job), job);
      const id = await ask({
        name: 'SubmitJob',
        send: async ({ sdk, client }) => (await client.send(new sdk.SubmitJobCommand(request))).jobId,
        made: () => named.first(job.name),
      });
      settle(job.name);
      return id ?? NO_JOB;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refusals.set(job.name, error.message);
      return NO_JOB;
    }
  };

  return {
    mostParts: MOST_PARTS,
    partVariable: 'AWS_BATCH_JOB_ARRAY_INDEX',
    async submit(jobs) {
      return await Promise.all(
        jobs.map(async (job) => {
          let submitted = known.get(job.name);
          if (submitted === undefined) {
            submitted = submitOne(job);
            submitted.catch(() => known.delete(job.name));
            known.set(job.name, submitted);
          }
          return await submitted;
        }),
      );
    },
    find: async (names) => await Promise.all(names.map((name) => known.get(name) ?? refusedAsError(named.first(name)))),
    watch(jobs, listen) {
      const there = jobs.filter(({ id }) => id !== NO_JOB);
      const unwatch = watching.add(there, listen);
      let isOver = false;
      setImmediate(() => {
        if (isOver) return;
        const ends = jobs
          .filter(({ id }) => id === NO_JOB)
          .flatMap(({ name, parts }): PartEnd[] => {
            const reason = refusals.get(name) ?? 'AWS Batch refused the job';
            return Array.from({ length: parts }, (_, part) => ({ job: name, part, kind: 'refused', reason }));
          });
        if (ends.length > 0) listen(ends);
      });
      return () => {
        isOver = true;
        unwatch();
      };
    },
    async cancel(jobs) {
      const ids = await Promise.all(
        jobs.map(async ({ name, id }) => (id === NO_JOB ? [] : [id, ...(await named.all(name))])),
      );
      // One without an id had vanished before this driver took it over.
      await refusedAsError(
        cancelJobs(
          ask,
          [...new Set(ids.flat())].filter((id) => id !== ''),
        ),
      );
    },
    async close() {
      closing.abort();
      for (const timer of settling) clearTimeout(timer);
      await watching.close();
      const connected = await opened?.catch(() => undefined);
      connected?.client.destroy();
    },
  };
}

async function refusedAsError<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw error instanceof Refused ? new HeadraceError('HR_CONFIG', error.message, { cause: error }) : error;
  }
}

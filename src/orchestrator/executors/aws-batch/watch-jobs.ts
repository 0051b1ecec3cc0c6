// Looks how jobs go: one DescribeJobs for a hundred of them, and the children of an array by their state, as seldom as what
// has ended since is worth the calls that it takes.

import type { JobDetail, JobSummary } from '@aws-sdk/client-batch';
import { type Logger, toHeadraceError } from '../../../core/index.ts';
import type { PartEnd } from '../cluster/cluster-jobs.ts';
import type { AskBatch } from './ask-batch.ts';
import { describeJobs } from './describe-jobs.ts';
import { originalOf } from './named-jobs.ts';
import { endOf } from './part-end.ts';

export interface WatchOptions {
  readonly lookMs: number;
  /** Nothing new: the pause grows up to it. */
  readonly longestLookMs: number;
  /** How long a job may be missing from Batch's answers, which come to know of one a moment late, before it is lost. */
  readonly missingMs: number;
  readonly logger: Logger;
}

export interface WatchJobs {
  add(jobs: readonly WatchedJob[], listen: (ends: readonly PartEnd[]) => void): () => void;
  close(): Promise<void>;
}

export interface WatchedJob {
  readonly name: string;
  readonly id: string;
  readonly parts: number;
}

interface Watched {
  readonly name: string;
  readonly parts: number;
  readonly listen: (ends: readonly PartEnd[]) => void;
  id: string;
  readonly told: Set<number>;
  /** Of those told, the ones that had succeeded. */
  succeeded: number;
  listedAtMs: number;
  missingSinceMs: number | undefined;
}

/** How many children of an array a page of ListJobs has. */
const PAGE = 1000;
const DESCRIBED_AT_ONCE = 100;
/** Children are listed once this many have ended for each call that it takes, or after so long a time for each. */
const ENDED_PER_CALL = 50;
const MS_PER_CALL = 1000;
const OVER: readonly string[] = ['SUCCEEDED', 'FAILED'];

export function watchJobs(ask: AskBatch, { lookMs, longestLookMs, missingMs, logger }: WatchOptions): WatchJobs {
  const watched = new Set<Watched>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let pauseMs = lookMs;
  let isClosed = false;

  const tell = (one: Watched, ends: readonly PartEnd[]): void => {
    if (!watched.has(one)) return;
    const fresh = ends.filter(({ part }) => part < one.parts && !one.told.has(part));
    for (const end of fresh) {
      one.told.add(end.part);
      if (end.kind === 'exited' && end.code === 0) one.succeeded++;
    }
    if (one.told.size === one.parts) watched.delete(one);
    if (fresh.length === 0) return;
    pauseMs = lookMs;
    one.listen(fresh);
  };

  const loseMissing = (one: Watched, parts: readonly number[]): void => {
    const now = performance.now();
    one.missingSinceMs ??= now;
    if (now - one.missingSinceMs < missingMs) return;
    const reason = `AWS Batch has no job ${one.id} any more`;
    tell(
      one,
      parts.map((part) => ({ job: one.name, part, kind: 'lost', reason })),
    );
  };

  const lookAtArray = async (one: Watched, { status, arrayProperties }: JobDetail): Promise<void> => {
    const { statusSummary: counts = {} } = arrayProperties ?? {};
    const { SUCCEEDED: succeeded = 0, FAILED: failed = 0 } = counts;
    // One whose children are all over, however few are left, is over, whatever its own state still says.
    const isOver =
      OVER.includes(status ?? '') ||
      (succeeded + failed > 0 && Object.entries(counts).every(([state, count]) => count === 0 || OVER.includes(state)));
    const failedTold = one.told.size - one.succeeded;
    const states = [
      { state: 'SUCCEEDED', count: succeeded, told: one.succeeded },
      { state: 'FAILED', count: failed, told: failedTold },
    ] as const;
    const news = states.filter(({ count, told }) => count > told);
    const ended = news.reduce((sum, { count, told }) => sum + count - told, 0);
    const listing = news.reduce((sum, { count }) => sum + Math.ceil(count / PAGE), 0);
    const waiting = one.parts - one.told.size;
    const describing = Math.ceil(waiting / DESCRIBED_AT_ONCE);
    const cost = Math.min(listing, describing);
    const now = performance.now();
    const isWorth = ended >= cost * ENDED_PER_CALL || now - one.listedAtMs >= cost * MS_PER_CALL;
    if (isOver || (ended > 0 && isWorth)) {
      one.listedAtMs = now;
      if (listing > 0 && listing <= describing) {
        for (const { state } of news) tell(one, endsOf(one, await listChildren(ask, one.id, state)));
      }
      if (listing > describing || isOver) await lookAtChildren(one, isOver);
    }
  };

  /** At those of which nothing has been told; where the array is over, one that isn't there is lost. */
  const lookAtChildren = async (one: Watched, isOver: boolean): Promise<void> => {
    const parts = Array.from({ length: one.parts }, (_, part) => part).filter((part) => !one.told.has(part));
    if (parts.length === 0) return;
    const found = await describeJobs(
      ask,
      parts.map((part) => `${one.id}:${part}`),
    );
    tell(one, endsOf(one, [...found.values()]));
    const missing = parts.filter((part) => !found.has(`${one.id}:${part}`));
    if (isOver && missing.length > 0) loseMissing(one, missing);
  };

  const lookAt = async (one: Watched, detail: JobDetail | undefined): Promise<void> => {
    if (detail === undefined) {
      loseMissing(
        one,
        Array.from({ length: one.parts }, (_, part) => part),
      );
      return;
    }
    const original = originalOf(detail.statusReason);
    if (original !== undefined) {
      // Another driver's job of this name was first: what it does is what counts.
      one.id = original;
      pauseMs = lookMs;
      return;
    }
    if (one.parts > 1) await lookAtArray(one, detail);
    else tell(one, endsOf(one, [{ ...detail, jobId: `${one.id}:0` }]));
    if (watched.has(one) && !OVER.includes(detail.status ?? '')) one.missingSinceMs = undefined;
  };

  const look = async (): Promise<void> => {
    const found = await describeJobs(ask, [...new Set([...watched].map(({ id }) => id))]);
    for (const one of watched) await lookAt(one, found.get(one.id));
  };

  const plan = (ms: number): void => {
    clearTimeout(timer);
    if (isClosed || watched.size === 0) return;
    timer = setTimeout(() => {
      looking ??= look()
        .catch((error: unknown) => {
          if (isClosed) return;
          logger.warn(
            { error: String(error) },
            `AWS Batch could not be asked how jobs go (${toHeadraceError(error).code}); tried again`,
          );
        })
        .finally(() => {
          looking = undefined;
          pauseMs = Math.min(longestLookMs, pauseMs * 1.5);
          plan(pauseMs);
        });
    }, ms);
  };

  return {
    add(jobs, listen) {
      const added = jobs.map(
        ({ name, id, parts }): Watched => ({
          name,
          id,
          parts,
          listen,
          told: new Set(),
          succeeded: 0,
          listedAtMs: 0,
          missingSinceMs: undefined,
        }),
      );
      for (const one of added) watched.add(one);
      pauseMs = lookMs;
      if (looking === undefined) plan(lookMs);
      return () => {
        for (const one of added) watched.delete(one);
      };
    },
    async close() {
      isClosed = true;
      watched.clear();
      clearTimeout(timer);
      await looking;
    },
  };
}

function endsOf(one: Watched, jobs: readonly (JobSummary | JobDetail)[]): PartEnd[] {
  return jobs.flatMap(({ jobId = '', status, statusReason, container }) => {
    if (status !== 'SUCCEEDED' && status !== 'FAILED') return [];
    const part = Number(jobId.slice(jobId.lastIndexOf(':') + 1));
    return [{ job: one.name, part, ...endOf({ status, statusReason, container }) }];
  });
}

async function listChildren(
  ask: AskBatch,
  arrayJobId: string,
  jobStatus: 'SUCCEEDED' | 'FAILED',
): Promise<readonly JobSummary[]> {
  const found: JobSummary[] = [];
  let nextToken: string | undefined;
  do {
    const page = await ask({
      name: 'ListJobs',
      send: ({ sdk, client }) =>
        client.send(
          new sdk.ListJobsCommand({
            arrayJobId,
            jobStatus,
            maxResults: PAGE,
            ...(nextToken === undefined ? {} : { nextToken }),
          }),
        ),
    });
    found.push(...(page.jobSummaryList ?? []));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return found;
}

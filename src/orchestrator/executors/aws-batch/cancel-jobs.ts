// Ends jobs, and waits until none of their containers runs.

import type { JobDetail } from '@aws-sdk/client-batch';
import type { AskBatch } from './ask-batch.ts';
import { describeJobs } from './describe-jobs.ts';
import { terminate } from './named-jobs.ts';

const REASON = 'headrace: cancelled';
const FIRST_LOOK_MS = 200;
const LONGEST_LOOK_MS = 5_000;
/** An array that was still making its children when it was ended may have made more. */
const AGAIN_MS = 30_000;

/** `ids`: jobs and arrays, in whatever state. TerminateJob ends those that have not started, too, so CancelJob has no part. */
export async function cancelJobs(ask: AskBatch, ids: readonly string[]): Promise<void> {
  let left = ids;
  let lookMs = FIRST_LOOK_MS;
  let toldAtMs = -Infinity;
  while (left.length > 0) {
    if (performance.now() - toldAtMs > AGAIN_MS) {
      await Promise.all(left.map((id) => terminate(ask, id, REASON)));
      toldAtMs = performance.now();
    }
    const found = await describeJobs(ask, left);
    left = left.filter((id) => runs(found.get(id)));
    if (left.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
    lookMs = Math.min(LONGEST_LOOK_MS, lookMs * 2);
  }
}

/** One that Batch does not know any more does not. */
function runs(job: JobDetail | undefined): boolean {
  if (job === undefined) return false;
  if (job.status !== 'SUCCEEDED' && job.status !== 'FAILED') return true;
  const { statusSummary = {} } = job.arrayProperties ?? {};
  return Object.entries(statusSummary).some(
    ([state, count]) => count > 0 && state !== 'SUCCEEDED' && state !== 'FAILED',
  );
}

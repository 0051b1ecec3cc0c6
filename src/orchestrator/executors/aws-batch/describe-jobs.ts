// What Batch knows of jobs, by their ids: a hundred a call.

import type { JobDetail } from '@aws-sdk/client-batch';
import type { AskBatch } from './ask-batch.ts';

const AT_ONCE = 100;

/** Those that are there. */
export async function describeJobs(ask: AskBatch, ids: readonly string[]): Promise<ReadonlyMap<string, JobDetail>> {
  const found = new Map<string, JobDetail>();
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const jobs = ids.slice(from, from + AT_ONCE);
    const answer = await ask({
      name: 'DescribeJobs',
      send: ({ sdk, client }) => client.send(new sdk.DescribeJobsCommand({ jobs })),
    });
    for (const job of answer.jobs ?? []) if (job.jobId !== undefined) found.set(job.jobId, job);
  }
  return found;
}

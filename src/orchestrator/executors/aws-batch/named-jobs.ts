// Jobs by name. Batch takes a name any number of times, so the first job of a name is the one that counts, for every driver;
// a later one of the same name is a repeat, and is ended by whoever sees it.

import type { JobSummary } from '@aws-sdk/client-batch';
import type { AskBatch } from './ask-batch.ts';

export interface NamedJobs {
  /** Those of a name, the one that counts first. */
  readonly all: (name: string) => Promise<readonly string[]>;
  /** The id of the one that counts; repeats are ended. */
  readonly first: (name: string) => Promise<string | undefined>;
}

const REPEAT = 'headrace: a repeat of ';

export function namedJobs(ask: AskBatch, queue: string): NamedJobs {
  const all = async (name: string): Promise<readonly string[]> => {
    const found: JobSummary[] = [];
    let nextToken: string | undefined;
    do {
      const page = await ask({
        name: 'ListJobs',
        send: ({ sdk, client }) =>
          client.send(
            new sdk.ListJobsCommand({
              jobQueue: queue,
              filters: [{ name: 'JOB_NAME', values: [name] }],
              ...(nextToken === undefined ? {} : { nextToken }),
            }),
          ),
      });
      // Batch makes no difference between upper and lower case.
      found.push(...(page.jobSummaryList ?? []).filter(({ jobName }) => jobName === name));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    const ids = found.map(({ jobId = '', createdAt = 0 }) => ({ jobId, createdAt }));
    return ids.sort((a, b) => a.createdAt - b.createdAt || (a.jobId < b.jobId ? -1 : 1)).map(({ jobId }) => jobId);
  };
  return {
    all,
    async first(name) {
      const [first, ...repeats] = await all(name);
      for (const jobId of repeats) await terminate(ask, jobId, `${REPEAT}${first}`);
      return first;
    },
  };
}

/** The job that counts, where this one was ended as its repeat. */
export function originalOf(statusReason: string | undefined): string | undefined {
  return statusReason?.startsWith(REPEAT) === true ? statusReason.slice(REPEAT.length) : undefined;
}

/** Ends a job in whatever state it is, and all children of an array. One that has ended stays as it is. */
export async function terminate(ask: AskBatch, jobId: string, reason: string): Promise<void> {
  await ask({
    name: 'TerminateJob',
    send: ({ sdk, client }) => client.send(new sdk.TerminateJobCommand({ jobId, reason })),
  });
}

// Jobs in the order of their deadlines: a linked list, since most come with the latest deadline and leave at the front.

import type { QueuedJob } from './queued-job.ts';

export interface DeadlineList {
  readonly first: QueuedJob | undefined;
  readonly jobs: number;
  /** Rows that no batch has taken. */
  readonly rows: number;
  /** After all with the same deadline. */
  add(job: QueuedJob): void;
  remove(job: QueuedJob): void;
  /** A batch takes rows of a job in the list; the job leaves with its last one. */
  takeRows(job: QueuedJob, count: number): void;
  /** Jobs and rows that go before a deadline. */
  ahead(deadlineMs: number): { readonly jobs: number; readonly rows: number };
}

export function createDeadlineList(): DeadlineList {
  let first: QueuedJob | undefined;
  let last: QueuedJob | undefined;
  let jobs = 0;
  let rows = 0;

  const unlink = (job: QueuedJob): void => {
    if (job.before === undefined) first = job.after;
    else job.before.after = job.after;
    if (job.after === undefined) last = job.before;
    else job.after.before = job.before;
    job.before = job.after = undefined;
    jobs--;
  };

  return {
    get first() {
      return first;
    },
    get jobs() {
      return jobs;
    },
    get rows() {
      return rows;
    },
    add(job) {
      let before = last;
      while (before !== undefined && before.deadlineMs > job.deadlineMs) before = before.before;
      const after = before === undefined ? first : before.after;
      job.before = before;
      job.after = after;
      if (before === undefined) first = job;
      else before.after = job;
      if (after === undefined) last = job;
      else after.before = job;
      jobs++;
      rows += rowsLeft(job);
    },
    remove(job) {
      rows -= rowsLeft(job);
      unlink(job);
    },
    takeRows(job, count) {
      rows -= count;
      job.next += count;
      if (rowsLeft(job) === 0) unlink(job);
    },
    ahead(deadlineMs) {
      const found = { jobs, rows };
      for (let job = last; job !== undefined && job.deadlineMs > deadlineMs; job = job.before) {
        found.jobs--;
        found.rows -= rowsLeft(job);
      }
      return found;
    },
  };
}

export function rowsLeft(job: QueuedJob): number {
  return job.work.count - job.next;
}

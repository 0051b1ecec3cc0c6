// Jobs in the order of their deadlines: a linked list, since most come with the latest deadline and leave at the front.

import type { QueuedJob } from './queued-job.ts';

export interface DeadlineList {
  readonly first: QueuedJob | undefined;
  readonly last: QueuedJob | undefined;
  readonly jobs: number;
  /** Rows that no batch has taken. */
  readonly rows: number;
  /** Of those rows in a batch. */
  readonly bytes: number;
  /** After all with the same deadline. */
  add(job: QueuedJob): void;
  remove(job: QueuedJob): void;
  /** A batch takes rows of a job in the list; the job leaves with its last one. */
  takeRows(job: QueuedJob, count: number): void;
  /** What goes before a newcomer with this deadline. */
  ahead(deadlineMs: number): { readonly jobs: number; readonly rows: number; readonly bytes: number };
}

export function createDeadlineList(): DeadlineList {
  let first: QueuedJob | undefined;
  let last: QueuedJob | undefined;
  let jobs = 0;
  let rows = 0;
  let bytes = 0;

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
    get last() {
      return last;
    },
    get jobs() {
      return jobs;
    },
    get rows() {
      return rows;
    },
    get bytes() {
      return bytes;
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
      bytes += bytesLeft(job);
    },
    remove(job) {
      rows -= rowsLeft(job);
      bytes -= bytesLeft(job);
      unlink(job);
    },
    takeRows(job, count) {
      rows -= count;
      bytes -= count * job.rowBytes;
      job.next += count;
      if (rowsLeft(job) === 0) unlink(job);
    },
    ahead(deadlineMs) {
      const found = { jobs, rows, bytes };
      for (let job = last; job !== undefined && job.deadlineMs > deadlineMs; job = job.before) {
        found.jobs--;
        found.rows -= rowsLeft(job);
        found.bytes -= bytesLeft(job);
      }
      return found;
    },
  };
}

export function rowsLeft(job: QueuedJob): number {
  return job.work.count - job.next;
}

export function bytesLeft(job: QueuedJob): number {
  return rowsLeft(job) * job.rowBytes;
}

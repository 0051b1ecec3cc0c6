// A caller's work while it waits and runs: which of its rows were taken, which are answered, and whether it was told.

import type { HeadraceError, Priority } from '../../core/index.ts';
import type { Tensor } from '../tensor.ts';
import type { ModelWork } from '../model-work.ts';

/** What the estimate says a job would take, where that is more than is left until its deadline. */
export interface Shortfall {
  readonly takesMs: number;
  readonly leftMs: number;
}

export interface QueuedJob {
  readonly work: ModelWork;
  readonly priority: Priority;
  readonly deadlineMs: number;
  readonly cameMs: number;
  /** Rows of equal shapes share a batch. */
  readonly shapeKey: string;
  /** What a row takes in a batch, in bytes. */
  readonly rowBytes: number;
  /** The first row that no batch has taken yet. */
  next: number;
  answeredRows: number;
  /** It may run whatever the estimate says, since that has grown old. */
  isProof: boolean;
  /** Why it was refused or dropped before its deadline had passed. */
  shortfall: Shortfall | undefined;
  /** Done or failed was called, or never will be; what still comes for it is dropped. */
  isTold: boolean;
  /** Outputs of a work that ran in several batches, as far as they came. */
  gathered: Tensor[] | undefined;
  /** Places in its list, while it waits. */
  before: QueuedJob | undefined;
  after: QueuedJob | undefined;
}

/** Rows `from` to `to` (exclusive) of a job, in one batch. */
export interface Segment {
  readonly job: QueuedJob;
  readonly from: number;
  readonly to: number;
}

export interface Batch {
  readonly segments: readonly Segment[];
  readonly rows: number;
  /** It failed among others once: now it answers for itself. */
  readonly isRetry: boolean;
  /** It was given out before, and its rows' waiting is counted. */
  readonly wasTaken: boolean;
}

export function createJob(work: ModelWork, cameMs: number, shapeKey: string, rowBytes: number): QueuedJob {
  const { priority, deadlineMs } = work.scope;
  return {
    work,
    priority,
    deadlineMs,
    cameMs,
    shapeKey,
    rowBytes,
    next: 0,
    answeredRows: 0,
    isProof: false,
    shortfall: undefined,
    isTold: false,
    gathered: undefined,
    before: undefined,
    after: undefined,
  };
}

export function tellFailed(job: QueuedJob, error: HeadraceError): void {
  if (job.isTold) return;
  endUntold(job);
  job.work.failed(error);
}

/** Whoever waits is told by another work. */
export function endUntold(job: QueuedJob): void {
  job.isTold = true;
  job.gathered = undefined;
}

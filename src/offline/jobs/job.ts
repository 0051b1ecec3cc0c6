// A job: one training set that a server was asked for, from the arrival of its spine to its end. What others are told of it is
// `Job`; the row behind it is job-table.ts's.

import type { ErrorCode, Micros } from '../../core/index.ts';
import type { Boundary } from '../plan.ts';
import type { UnshippedWriter } from '../retention/ship-log.ts';

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Job {
  readonly id: string;
  readonly state: JobState;
  /** How far it is; null before it runs. */
  readonly progress: JobProgress | null;
  /** The id of the training set that it made. */
  readonly trainingSet: string | null;
  /** Why it failed or was cancelled. */
  readonly error: JobError | null;
  /** Writers that did not ship what they had taken, so that it is not in the set. */
  readonly unshipped: readonly UnshippedWriter[];
  readonly createdAtMicros: Micros;
  readonly finishedAtMicros: Micros | null;
}

export interface JobProgress {
  readonly step: string;
  readonly done: number;
  /** Null where nobody knows. */
  readonly total: number | null;
  readonly unit: string | null;
  /** Of what is done, and of all; left out where the step has none. */
  readonly bytes?: { readonly done: number; readonly total: number };
}

export interface JobError {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What is asked for, apart from the spine's bytes. */
export interface JobRequest {
  readonly service: string;
  readonly timestamp: string;
  readonly labels: readonly string[];
  readonly boundary: Boundary;
  readonly name: string | null;
  /** It goes on though nobody asks about it. */
  readonly isDetached: boolean;
  readonly spine: SpineKind;
}

export type SpineKind =
  /** A file of that form, sent along. */
  | { readonly kind: 'parquet' | 'csv' | 'arrow' }
  /** An `s3://` address that the server can read. */
  | { readonly kind: 'address'; readonly address: string };

export const isFinished = (state: JobState | 'arriving'): boolean =>
  state === 'done' || state === 'failed' || state === 'cancelled';

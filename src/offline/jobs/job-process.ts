// The process of one job as its owner sees it, and what the two say to each other. `app` starts it: it is the same program in
// another role.

import type { Job, JobError, JobProgress, JobRequest } from './job.ts';

/** How a process is to start. */
export interface JobStart {
  readonly id: string;
  readonly request: JobRequest;
  /** The job's own: its spine lies there. */
  readonly folder: string;
  /** What users' functions threw is told as it is; else only to the log. */
  readonly isLocal: boolean;
}

export type FromJob =
  | { readonly kind: 'progress'; readonly progress: JobProgress }
  | { readonly kind: 'done'; readonly trainingSet: string; readonly unshipped: Job['unshipped'] }
  | { readonly kind: 'failed'; readonly error: JobError };

export interface JobProcess {
  /** Resolves when it has ended, or could not be started. */
  readonly ended: Promise<JobEnd>;
  kill(): void;
}

export interface JobEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

export type StartJobProcess = (start: JobStart, heard: (message: FromJob) => void) => JobProcess;

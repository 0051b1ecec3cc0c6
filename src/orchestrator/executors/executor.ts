// The executor port: where tasks run. `local/` runs them on this machine; others hand them to a cluster's own scheduler.

import type { StepAction } from '../../definitions/index.ts';
import type { TaskOutput } from '../engine/batch.ts';
import type { StoredFiles } from '../step/files.ts';

/** Where a document lies: `blob:<SHA-256>` in the artifact store. */
export type Uri = string;

/** What one task takes while it runs, and what kind of work it is: that of warm processes comes in larger slices. */
export interface Resources {
  /** Left out: 1. */
  readonly cpu?: number;
  /** As pipelines write it: '4Gi'. */
  readonly memory?: string;
  readonly action?: StepAction['kind'];
  /** A process for each task. */
  readonly isolate?: boolean;
}

/** Tasks that are handed over together. The id is a hash of run, step, scope and tasks: submitting twice is once. */
export interface Slice {
  readonly id: string;
  /** Of the step's order, a `StepOrder`. */
  readonly spec: Uri;
  readonly tasks: readonly { readonly index: number; readonly attempt: number }[];
}

/** What a slice is known by where it runs. `at` is the executor's own word: a job's name, or the driver's id. */
export interface Handle {
  readonly slice: string;
  readonly at: string;
}

/**
 * What became of a task. Nothing is told of an attempt after its end, and nothing has been told before its output is stored.
 * `started` may be left out where the end follows within the same call. Lost: what ran it died, not it: trying again costs no try.
 */
export type TaskEvent = { readonly slice: string; readonly index: number; readonly attempt: number } & (
  | { readonly kind: 'started' }
  /** `output` has the files in it, under `files`; they are listed beside it for those who keep count of blobs. */
  | { readonly kind: 'succeeded'; readonly output: TaskOutput; readonly files: StoredFiles }
  | { readonly kind: 'lost'; readonly reason: string }
  | {
      readonly kind: 'failed';
      readonly cause: 'exit' | 'timeout' | 'memory';
      /** A sentence for the user. */
      readonly reason: string;
      /** Trying again can't help. */
      readonly isFinal: boolean;
    }
);

export type Unwatch = () => void;

/**
 * Runs slices of tasks, at least once each, and tells how they end. What holds between a driver's crash and the next is its rows:
 * a slice is written before it is submitted, and an event counts once it is written.
 *
 * @example
 * const unwatch = executor.watch((events) => driver.wake(events));
 * const handles = await executor.submit([{ id, spec: `blob:${order}`, tasks: [{ index: 0, attempt: 1 }] }]);
 */
export interface Executor {
  /** Starts what it would start with its first slice: for a driver that waits for its run. Left out where that is nothing. */
  readonly start?: () => void;
  /**
   * How many more tasks of this kind it takes now, and how many of them one slice may hold. More than can run at once where they
   * are short, so that none waits for the next claim; at least one where nothing runs.
   */
  room(resources: Resources): { readonly tasks: number; readonly perSlice: number };
  /** Takes slices whose rows are written. One that it knows already is not run again. A row without its handle is looked up by name. */
  submit(slices: readonly Slice[]): Promise<readonly Handle[]>;
  /** Tells all events from now on, and those that came while nobody listened. */
  watch(listen: (events: readonly TaskEvent[]) => void): Unwatch;
  /** Ends slices; resolves when none of it runs. A task that ended first is told of as ever, of the others nothing is. */
  cancel(handles: readonly Handle[]): Promise<void>;
  /** What became of another driver's slices. Those that are `running` are watched from then on; of one that is `gone` nothing runs. */
  adopt(handles: readonly Handle[]): Promise<readonly ('running' | 'gone')[]>;
  /** Ends all that runs. */
  close(): Promise<void>;
}

// What the reducer wants written, as data: a batch is one transaction of a run's rows, fenced by its driver's epoch.

import type { Micros } from '../../core/index.ts';
import type { NumberRange } from '../placement.ts';

export type RunState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
export type StepState = 'waiting' | 'open' | 'succeeded' | 'failed' | 'skipped' | 'cancelled';
/** `retry`: is claimed again once its time has come. */
export type TaskState = 'running' | 'retry' | 'succeeded' | 'failed' | 'cancelled';

/** A step of a run. `scope`: the item of each group around it, outermost first: '' at the top, '17/3' in the fourth of the 18th. */
export interface StepKey {
  readonly step: string;
  readonly scope: string;
}

export interface TaskKey extends StepKey {
  readonly index: number;
}

/** How many tasks of a step are in each state; those that were never claimed are in none. */
export type TaskCounts = Readonly<Record<TaskState, number>>;

/** A step's row as it is from now on. */
export interface StepChange extends StepKey {
  readonly state: StepState;
  /** Null until it opens. */
  readonly children: number | null;
  /** Tasks from this number on were never claimed. */
  readonly nextIndex: number;
  /** Every task's number is below this one; more than `children` where tasks have lost their items. Null until it opens. */
  readonly end: number | null;
  readonly counts: TaskCounts;
  /** Where its order lies: code, parameters and needs, for whoever runs its tasks. Null until it opens. */
  readonly order: string | null;
  /** Of a group: where the items that it opened with lie. Null of a step, whose order has them, and until it opens. */
  readonly items: string | null;
  /** Where the `Placement` of its tasks lies; null where each task has the number of its item's place. */
  readonly placement: string | null;
  readonly error: string | null;
  readonly openedAt: Micros | null;
  readonly endedAt: Micros | null;
}

/** Tasks whose items are there no more; of a group, the items with all that lies in them. Nothing of them is read any more. */
export interface DroppedTasks extends StepKey {
  readonly numbers: readonly NumberRange[];
  /** Left out for a step. */
  readonly inside?: NamesInside;
}

/** Names of the steps and groups in a group. */
export interface NamesInside {
  /** Their scope is the group's item. */
  readonly direct: readonly string[];
  /** In groups of the group: their scopes begin with its item. */
  readonly deeper: readonly string[];
}

/** Tasks that are claimed for the first time, by one slice: `count` rows from `from` on, running, attempt 1. */
export interface FreshClaims extends StepKey {
  readonly from: number;
  readonly count: number;
  readonly slice: string;
  readonly at: Micros;
  /** By which code: see `codesOf`. */
  readonly code: string | null;
}

/** What a finished task gave: JSON up to 4 KB in the row, longer ones by the SHA-256 of their blob. */
export type TaskOutput = { readonly json: string } | { readonly blob: string };

/** A task's row as it is from now on. It is written only where the row is at `expects`, a running attempt or one to be tried again. */
export interface TaskChange extends TaskKey {
  /** The attempt that the row must be at: what a later one has written stays. Null where there may be no row (copied, cached). */
  readonly expects: number | null;
  readonly state: TaskState;
  readonly attempt: number;
  /** Failures since the run began or was resumed: what `retry` counts. */
  readonly failures: number;
  /** How often a worker, pod or driver died under it since then. */
  readonly losses: number;
  readonly notBefore: Micros;
  readonly output: TaskOutput | null;
  readonly error: string | null;
  /** The run that it was copied from; null where it ran in this one. */
  readonly from: string | null;
  /** That runs it, or ran it last. */
  readonly slice: string | null;
  /** By which code its attempt was begun; null of tasks of earlier versions. */
  readonly code: string | null;
  readonly startedAt: Micros | null;
  readonly endedAt: Micros | null;
}

/** Tasks that were handed to an executor together. */
export interface SliceChange extends StepKey {
  readonly id: string;
  readonly executor: string;
  readonly tasks: readonly { readonly index: number; readonly attempt: number }[];
  readonly at: Micros;
}

/** Of tasks that follow one another and ended alike there is one: `index` to `index + count - 1`. */
export interface RunEvent {
  readonly at: Micros;
  readonly kind: string;
  readonly step?: string;
  readonly scope?: string;
  readonly index?: number;
  readonly count?: number;
  readonly attempt?: number;
  readonly message?: string;
}

export interface RunChange {
  readonly state: RunState;
  readonly error: string | null;
  readonly endedAt: Micros | null;
}

/** What a task gave, to be taken again by one of the same key. */
export interface CachedOutput {
  readonly key: string;
  readonly output: TaskOutput;
  readonly at: Micros;
}

/** Slots of a pool that a run keeps, of those that it held: the others are given back. */
export interface PoolChange {
  readonly pool: string;
  readonly slots: number;
  /** As many as it could use. */
  readonly wanted: number;
}

export interface Batch {
  readonly run: RunChange | null;
  readonly steps: readonly StepChange[];
  readonly fresh: readonly FreshClaims[];
  readonly tasks: readonly TaskChange[];
  /** After all the others are written. */
  readonly dropped?: readonly DroppedTasks[];
  readonly slices: readonly SliceChange[];
  readonly pools: readonly PoolChange[];
  readonly events: readonly RunEvent[];
  readonly cached: readonly CachedOutput[];
}

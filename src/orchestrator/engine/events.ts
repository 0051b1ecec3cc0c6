// What happens to a run, and what is to be done then.

import type { NumberRange } from '../placement.ts';
import type { SliceChange, TaskKey, TaskOutput } from './batch.ts';

export type EngineEvent =
  /** A run that was just made, or taken over: what can begin does. */
  | { readonly kind: 'begin' }
  | Prepared
  | { readonly kind: 'unprepared'; readonly step: string; readonly scope: string; readonly reason: string }
  /** There is room for so many tasks of a step. */
  | {
      readonly kind: 'room';
      readonly step: string;
      readonly scope: string;
      readonly tasks: number;
      readonly perSlice: number;
      readonly executor: string;
    }
  | (Attempt & { readonly kind: 'succeeded'; readonly output: TaskOutput })
  | (Attempt & { readonly kind: 'failed'; readonly reason: string; readonly isFinal: boolean })
  /** Its worker or pod died. */
  | (Attempt & { readonly kind: 'lost'; readonly reason: string })
  /** It was cancelled, and runs no more; or its driver died, or let go of it, which is not held against it. */
  | (Attempt & { readonly kind: 'stopped' })
  /** What is cached of `count` tasks from `from` on, by the runs that it is of. */
  | {
      readonly kind: 'looked up';
      readonly step: string;
      readonly scope: string;
      readonly from: number;
      readonly count: number;
      readonly hits: readonly CacheHit[];
    }
  /** How many slots of a pool the run could use now, those that it uses with them. */
  | { readonly kind: 'wanted'; readonly pool: string; readonly slots: number }
  /** What came of an ask: slots that are the run's, and how many it may go on to hold while others wait. */
  | { readonly kind: 'slots'; readonly pool: string; readonly held: number; readonly share: number }
  /** Others took slots, gave some back, or wait for some. */
  | { readonly kind: 'pools changed' }
  | { readonly kind: 'cancel' };

/** What a step or a group needs is gathered. */
export interface Prepared {
  readonly kind: 'prepared';
  readonly step: string;
  readonly scope: string;
  /** False where its gate is shut. */
  readonly passes: boolean;
  readonly children: number;
  /** Where what its tasks are given lies. */
  readonly order: string | null;
  /** Of a group: where its items lie. */
  readonly items?: string | null;
  /** Left out where it had begun nothing, or goes on with the items of before: each child has the number of its place. */
  readonly anew?: {
    readonly placement: string | null;
    readonly end: number;
    readonly dropped: readonly NumberRange[];
    /** For people: what became of the items. Null where they are as they were. */
    readonly words: string | null;
  };
}

export interface CacheHit {
  readonly index: number;
  readonly output: TaskOutput;
  /** The run that made it. */
  readonly run: string;
}

export interface Attempt extends TaskKey {
  readonly attempt: number;
}

export type Command =
  /** Gather what a step needs, see its gate, count its items, and write its order: `prepared` or `unprepared`. */
  | { readonly kind: 'prepare'; readonly step: string; readonly scope: string }
  /** See what is cached of tasks that are next to be claimed: `looked up`. */
  | {
      readonly kind: 'look up';
      readonly step: string;
      readonly scope: string;
      readonly order: string;
      readonly from: number;
      readonly count: number;
    }
  /** Once the rows are written. */
  | { readonly kind: 'submit'; readonly slice: SliceChange; readonly order: string }
  /** For so many slots of a pool in all, as far as others leave them: `slots`. */
  | { readonly kind: 'ask'; readonly pool: string; readonly slots: number }
  /** Attempts whose items were dropped: they are to be ended, and no event is posted about them. */
  | { readonly kind: 'drop'; readonly attempts: readonly Attempt[] }
  /** Everything that runs: each is `stopped`. */
  | { readonly kind: 'cancel' }
  | { readonly kind: 'end' };

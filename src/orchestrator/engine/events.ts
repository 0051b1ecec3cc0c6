// What happens to a run, and what is to be done then.

import type { SliceChange, TaskKey, TaskOutput } from './batch.ts';

export type EngineEvent =
  /** A run that was just made, or taken over: what can begin does. */
  | { readonly kind: 'begin' }
  /** `passes`: false where its gate is shut. `order`: where what its tasks are given lies. */
  | {
      readonly kind: 'prepared';
      readonly step: string;
      readonly scope: string;
      readonly children: number;
      readonly order: string | null;
      readonly passes: boolean;
    }
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
  /** Its worker, pod or driver died. */
  | (Attempt & { readonly kind: 'lost'; readonly reason: string })
  /** It was cancelled, and runs no more; or its driver let go of it. */
  | (Attempt & { readonly kind: 'stopped' })
  | { readonly kind: 'cancel' };

export interface Attempt extends TaskKey {
  readonly attempt: number;
}

export type Command =
  /** Gather what a step needs, see its gate, count its items, and write its order: `prepared` or `unprepared`. */
  | { readonly kind: 'prepare'; readonly step: string; readonly scope: string }
  /** Once the rows are written. */
  | { readonly kind: 'submit'; readonly slice: SliceChange; readonly order: string }
  /** Everything that runs: each is `stopped`. */
  | { readonly kind: 'cancel' }
  | { readonly kind: 'end' };

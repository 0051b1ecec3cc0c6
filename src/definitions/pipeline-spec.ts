// What a pipeline compiles to. Members that came after the first version are left out where nobody wrote them, so that what is
// applied keeps its hash.

import type { Field, Micros } from '../core/index.ts';
import type { StepAction } from './actions/action-kinds.ts';
import type { About } from './manifest.ts';

export interface PipelineSpec extends About {
  readonly name: string;
  /** A cron expression, with its IANA time zone (default UTC). */
  readonly schedule?: string;
  readonly timezone?: string;
  /** Which of the ticks that nobody was there for run late. Left out: the latest. */
  readonly catchUp?: 'all' | 'none';
  /** How many of its runs go on at once. Left out: any number. */
  readonly concurrency?: number;
  /** What becomes of a run that comes while so many go on. Left out: it waits. `cancel`: the oldest of them ends for it. */
  readonly overlap?: 'skip' | 'cancel';
  /** What starts a run besides its schedule. */
  readonly on?: readonly TriggerSpec[];
  readonly params: readonly Field[];
  /** Steps that run together once per item, outer ones first. */
  readonly groups?: readonly GroupSpec[];
  /** In the order declared; `needs` make the graph. */
  readonly steps: readonly StepSpec[];
}

/** A view was materialized, a source was pushed to, or drift was found at an endpoint. */
export type TriggerSpec =
  | { readonly kind: 'materialized'; readonly view: string }
  /** Left out, a run begins a minute after the one before at the soonest. */
  | { readonly kind: 'pushed'; readonly source: string; readonly everyMicros?: Micros }
  | { readonly kind: 'drift'; readonly endpoint: string };

/** Steps that run once per item. Its result is the array of its last step's, in the order of the items. */
export interface GroupSpec {
  /** Under which its steps see their item. */
  readonly name: string;
  readonly foreach: Foreach;
  /** The group around it. */
  readonly in?: string;
  readonly last: string;
}

export interface StepSpec {
  readonly name: string;
  readonly action: StepAction;
  /** Name under which the step gets the result, and the step that makes it. */
  readonly needs: Readonly<Record<string, string>>;
  /** Run once per item; the next step gets the array of results in order. */
  readonly foreach?: Foreach;
  /** Its group. */
  readonly in?: string;
  /** A needed step that gives true or false: it runs only where that gave true (`when`), or false (`unless`). */
  readonly when?: string;
  readonly unless?: string;
  /** Runs once all its needs have ended, however; those without a result give null. */
  readonly after?: 'end';
  /** How often to try again after a failure. */
  readonly retry: number;
  /** Left out: 1 s, doubled each time up to a minute, a tenth of it random. */
  readonly delay?: RetryDelay;
  /** A task that has failed for good counts as succeeded, and gives `{ error }`. */
  readonly catch?: true;
  /** What it gave for the same code, parameters, item and needs is taken again. */
  readonly cache?: true;
  /** A cached step's tasks receive their index among the items, and the index is part of the cache key. */
  readonly index?: true;
  readonly timeoutMicros: Micros | null;
  readonly resources: { readonly cpu?: number; readonly memory?: string };
  /** How many of its tasks run at once. */
  readonly parallel?: number;
  /** Slots that tasks of all runs share. */
  readonly pool?: string;
  /** A process for each of its tasks, where it is TypeScript. */
  readonly isolate?: true;
  /** Left out: as configured. */
  readonly executor?: ExecutorSpec;
  readonly env?: Readonly<Record<string, string>>;
  /** By the variable that holds it while the step runs. */
  readonly secrets?: Readonly<Record<string, SecretRef>>;
}

/** The wait after the first failure, by what it grows with each, up to what, and which part of it is random (0 to 1). */
export interface RetryDelay {
  readonly delayMicros: Micros;
  readonly factor: number;
  readonly maxMicros: Micros;
  readonly jitter: number;
}

export type ExecutorSpec = 'local' | 'fleet' | ClusterSpec;

/** `pack`: tasks a container, one after another; left out: 1. */
export type ClusterSpec =
  | {
      readonly kind: 'kubernetes';
      readonly namespace: string;
      readonly image: string;
      readonly pack?: number;
      /** A PodTemplate of the namespace. */
      readonly template?: string;
    }
  | { readonly kind: 'aws-batch'; readonly queue: string; readonly definition: string; readonly pack?: number };

/** Where a secret is read as the step starts: no row, order or log has its value. */
export type SecretRef =
  | { readonly env: string }
  | { readonly file: string }
  | { readonly secretKeyRef: { readonly name: string; readonly key: string } }
  | { readonly arn: string };

export type Foreach =
  | { readonly kind: 'items'; readonly items: readonly unknown[] }
  | { readonly kind: 'grid'; readonly axes: Readonly<Record<string, readonly unknown[]>> }
  | { readonly kind: 'range'; readonly start: number; readonly end: number }
  /** Over the array that a needed step, or group, gave; `of` is its own name. */
  | { readonly kind: 'result'; readonly of: string };

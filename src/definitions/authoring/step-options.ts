// The options of a step: what it waits for, how often it runs, what becomes of a failure, where it runs and with what.

import type { Foreach, SecretRef } from '../pipeline-spec.ts';
import type { AuthoredGroup, AuthoredObject, AuthoredStep } from './authored.ts';
import type { OptionNames } from './call.ts';

declare const resultOf: unique symbol;

/** A step of a pipeline, or a group of them; `R` is its result, for the steps that need it. */
export interface Step<R = unknown> extends AuthoredObject<AuthoredStep | AuthoredGroup> {
  readonly name: string;
  readonly [resultOf]?: R;
}

/** The steps and groups whose results a step gets, by the name under which it gets them. */
export type Needs = Readonly<Record<string, Step>>;

/** Run once per item: of an array, a `grid`, a `range`, or the array that another step, or group, gave. */
export type ForeachOption = readonly unknown[] | ForeachItems | Step<readonly unknown[]>;

/** Items made by `grid` or `range`. */
export interface ForeachItems {
  readonly foreach: Foreach;
}

export interface StepOptions<N extends Needs> {
  /** The steps whose results this one gets, by the name under which it gets them. */
  readonly needs?: N;
  readonly foreach?: ForeachOption;
  /** Runs only where this step gave true. It is waited for, and is among `needs` under its own name. */
  readonly when?: Step<boolean>;
  /** Runs only where this step gave false. */
  readonly unless?: Step<boolean>;
  /** `end`: runs once all its needs have ended, however; one without a result gives null. Default: once all have succeeded. */
  readonly after?: 'end';
  /** How often to try again after a failure. Default 0. */
  readonly retry?: number | RetryOptions;
  /** For one attempt: '30m'. Default: none. */
  readonly timeout?: string;
  /** A task that has failed for good counts as succeeded, and gives `{ error }`. */
  readonly catch?: boolean;
  /** What it gave for the same code, parameters, item and needs is taken again. */
  readonly cache?: boolean;
  /**
   * Gives the tasks of a cached step their `index`, and makes it a part of what they go by: an item that has moved is run again.
   * Default: false. Steps without `cache` always have it.
   */
  readonly index?: boolean;
  /** How many of its tasks run at once. Default: as many as there is room for. */
  readonly parallel?: number;
  /** Named slots that tasks of all runs share. */
  readonly pool?: string;
  /** A process for each of its tasks. */
  readonly isolate?: boolean;
  /** Where its tasks run. Default: as configured. */
  readonly executor?: ExecutorOption;
  /** Variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Variables of its environment, by where each secret is read as the step starts: `{ API_KEY: { env: 'NAME' } }`. */
  readonly secrets?: Readonly<Record<string, SecretRef>>;
  readonly resources?: ResourceOptions;
}

export interface RetryOptions {
  /** How often to try again. */
  readonly times: number;
  /** The wait after the first failure. Default: '1s'. */
  readonly delay?: string;
  /** By what it grows with each. Default: 2. */
  readonly factor?: number;
  /** Up to what. Default: '1m', or the delay where that is longer. */
  readonly max?: string;
  /** Which part of it is random, 0 to 1. Default: 0.1. */
  readonly jitter?: number;
}

export interface ResourceOptions {
  readonly cpu?: number;
  readonly memory?: string;
}

export type ExecutorOption = 'local' | 'fleet' | KubernetesOptions | BatchOptions;

export interface KubernetesOptions {
  readonly kind: 'kubernetes';
  readonly namespace: string;
  /** Has Node 24 and `headrace` on the PATH. */
  readonly image: string;
  /** How many tasks one pod runs, one after another. Default: 1. */
  readonly pack?: number;
  /** A PodTemplate of the namespace: service account, tolerations, volumes and whatever else its pods have. */
  readonly template?: string;
}

export interface BatchOptions {
  readonly kind: 'aws-batch';
  readonly queue: string;
  readonly definition: string;
  /** How many tasks one container runs, one after another. Default: 1. */
  readonly pack?: number;
}

export const STEP_OPTIONS: OptionNames<StepOptions<Needs>> = {
  needs: true,
  foreach: true,
  when: true,
  unless: true,
  after: true,
  retry: true,
  timeout: true,
  catch: true,
  cache: true,
  index: true,
  parallel: true,
  pool: true,
  isolate: true,
  executor: true,
  env: true,
  secrets: true,
  resources: true,
};

export const RETRY_OPTIONS: OptionNames<RetryOptions> = {
  times: true,
  delay: true,
  factor: true,
  max: true,
  jitter: true,
};

export const RESOURCE_OPTIONS: OptionNames<ResourceOptions> = { cpu: true, memory: true };

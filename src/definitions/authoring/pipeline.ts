// Pipelines: a directed acyclic graph of named steps, as data. Nothing runs while it is declared.

import {
  ABOUT_OPTIONS,
  type AboutOptions,
  type AuthoredAction,
  type AuthoredObject,
  type AuthoredPipeline,
  type AuthoredStep,
} from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { Columns } from './column-type.ts';
import type { Foreach } from '../manifest.ts';
import type { Action } from './step-actions.ts';

declare const resultOf: unique symbol;

/** A step of a pipeline; `R` is its result, for the steps that need it. */
export interface Step<R = unknown> extends AuthoredObject<AuthoredStep> {
  readonly name: string;
  readonly [resultOf]?: R;
}

/** A step's result as the steps after it get it. */
export type ResultOf<S> = S extends Step<infer R> ? R : never;

export type Needs = Readonly<Record<string, Step>>;

/** Run once per item: of an array, a `grid`, a `range`, or the array that another step gave. */
export type ForeachOption = readonly unknown[] | ForeachItems | Step;

/** Items made by `grid` or `range`. */
export interface ForeachItems {
  readonly foreach: Foreach;
}

export interface StepOptions<N extends Needs> {
  /** The steps whose results this one gets, by the name under which it gets them. */
  readonly needs?: N;
  readonly foreach?: ForeachOption;
  /** How often to try again after a failure. Default 0. */
  readonly retry?: number;
  /** For one attempt: '30m'. Default: none. */
  readonly timeout?: string;
  readonly resources?: ResourceOptions;
}

interface ResourceOptions {
  readonly cpu?: number;
  readonly memory?: string;
}

const STEP_OPTIONS: OptionNames<StepOptions<Needs>> = {
  needs: true,
  foreach: true,
  retry: true,
  timeout: true,
  resources: true,
};

export const RESOURCE_OPTIONS: OptionNames<ResourceOptions> = { cpu: true, memory: true };

export interface Pipeline extends AuthoredObject<AuthoredPipeline> {
  readonly name: string;
  /** Adds a step and gives it, to be named in the `needs` of others. After a `foreach` its result is an array. */
  step<I, R, const O extends StepOptions<Needs> = {}>(
    name: string,
    action: Action<I, R>,
    options?: O & CheckedNeeds<I, O>,
  ): Step<O extends { readonly foreach: ForeachOption } ? R[] : R>;
}

// A task that names the type of its input gets steps that fit it. `string extends keyof I`: it does not name any.
type CheckedNeeds<I, O> = string extends keyof I
  ? unknown
  : keyof I extends never
    ? unknown
    : { readonly needs: { readonly [Name in keyof I]: CheckedNeed<I[Name], NeedOf<O, Name>> } };
type NeedOf<O, Name> = O extends { readonly needs: infer N } ? (Name extends keyof N ? N[Name] : never) : never;
type CheckedNeed<Wanted, S> = S extends Step<infer R> ? (R extends Wanted ? S : Step<Wanted>) : Step<Wanted>;

export interface PipelineOptions extends AboutOptions {
  /** A cron expression. */
  readonly schedule?: string;
  /** IANA time zone of the schedule. Default UTC. */
  readonly timezone?: string;
  /** Parameters of a run, with their defaults: `{ seed: t.int32().default(7) }`. */
  readonly params?: Columns;
}

const PIPELINE_OPTIONS: OptionNames<PipelineOptions> = {
  ...ABOUT_OPTIONS,
  schedule: true,
  timezone: true,
  params: true,
};

/** Declares a pipeline; add its steps with `.step(…)`. */
export function pipeline(name: string, options: PipelineOptions = {}): Pipeline {
  const call = noteCall(options, PIPELINE_OPTIONS);
  const { schedule, timezone, params, ...about } = optionsOf(options);
  const steps: AuthoredObject<AuthoredStep>[] = [];
  const add = (
    stepName: string,
    action: { readonly action: AuthoredAction },
    stepOptions: StepOptions<Needs> = {},
  ): Step => {
    const { needs, foreach, retry, timeout, resources } = optionsOf(stepOptions);
    const step: Step = {
      name: stepName,
      [AUTHORED]: {
        kind: 'step',
        name: stepName,
        call: noteCall(stepOptions, STEP_OPTIONS, [2]),
        pipeline: name,
        // Plain JavaScript may give no action; the compile step says so.
        action: action?.action,
        needs: needs ?? {},
        foreach,
        retry: retry ?? 0,
        timeout,
        resources: resources ?? {},
      },
    };
    steps.push(step);
    return step;
  };
  return {
    name,
    // The signature's types describe results that exist only when the pipeline runs.
    step: add as Pipeline['step'],
    [AUTHORED]: { kind: 'pipeline', name, call, schedule, timezone, params: params ?? {}, steps, about },
  };
}

/** Every combination of the axes' values, the last axis fastest: `grid({ trees: [100, 200], depth: [4, 6] })`. */
export function grid(axes: Readonly<Record<string, readonly unknown[]>>): ForeachItems {
  return { foreach: { kind: 'grid', axes } };
}

/** Whole numbers from `start` up to, not including, `end`; with one argument, from 0. */
export function range(startOrEnd: number, end?: number): ForeachItems {
  return {
    foreach:
      end === undefined ? { kind: 'range', start: 0, end: startOrEnd } : { kind: 'range', start: startOrEnd, end },
  };
}

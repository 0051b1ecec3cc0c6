// Pipelines: a directed acyclic graph of named steps, as data. Nothing runs while it is declared.

import type { Action } from './action.ts';
import {
  ABOUT_OPTIONS,
  type AboutOptions,
  type AuthoredAction,
  type AuthoredGroup,
  type AuthoredObject,
  type AuthoredPipeline,
  type AuthoredStep,
} from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { Columns } from './column-type.ts';
import {
  type ForeachItems,
  type ForeachOption,
  type Needs,
  type Step,
  STEP_OPTIONS,
  type StepOptions,
} from './step-options.ts';
import type { CheckedNeeds, StepResult } from './step-types.ts';
import type { Trigger } from './trigger.ts';

/** Where steps are added: a pipeline, or a group in it. */
export interface Steps {
  /** Adds a step and gives it, to be named in the `needs` of others. After a `foreach` its result is an array. */
  step<I, R, const O extends StepOptions<Needs> = {}>(
    name: string,
    action: Action<I, R>,
    options?: O & CheckedNeeds<I, O>,
  ): Step<StepResult<R, O>>;
  /**
   * Adds a group of steps that run together once per item, and see it as `items[name]`. `build` adds them and gives the last;
   * the group's result is the array of that one's, in the order of the items. Its steps may need steps around it; steps
   * around it need the group, never a step in it.
   *
   * @example
   * const fits = p.foreach('country', ['de', 'fr'], (q) => {
   *   const rows = q.step('rows', task((_needs, { items }) => load(items.country)));
   *   return q.step('fit', python('fit.py'), { needs: { rows } });
   * });
   */
  foreach<R>(name: string, items: ForeachOption, build: (steps: Steps) => Step<R>): Step<R[]>;
}

export interface Pipeline extends AuthoredObject<AuthoredPipeline>, Steps {
  readonly name: string;
}

export interface PipelineOptions extends AboutOptions {
  /** A cron expression. */
  readonly schedule?: string;
  /** IANA time zone of the schedule. Default UTC. */
  readonly timezone?: string;
  /** Which of the scheduled times that nobody was there for run late. Default: the latest. */
  readonly catchUp?: 'latest' | 'all' | 'none';
  /** How many of its runs go on at once. Default: any number; with `overlap`, 1. */
  readonly concurrency?: number;
  /** What becomes of a run that comes while so many go on: none, it waits, or the oldest ends for it. Default: it waits. */
  readonly overlap?: 'skip' | 'queue' | 'cancel';
  /** What starts a run besides its schedule: `[materialized(view), pushed(source), drift(endpoint)]`. */
  readonly on?: readonly Trigger[];
  /** Parameters of a run, with their defaults: `{ seed: t.int32().default(7) }`. */
  readonly params?: Columns;
}

const PIPELINE_OPTIONS: OptionNames<PipelineOptions> = {
  ...ABOUT_OPTIONS,
  schedule: true,
  timezone: true,
  catchUp: true,
  concurrency: true,
  overlap: true,
  on: true,
  params: true,
};

/** Declares a pipeline; add its steps with `.step(…)`. */
export function pipeline(name: string, options: PipelineOptions = {}): Pipeline {
  const call = noteCall(options, PIPELINE_OPTIONS);
  const { schedule, timezone, catchUp, concurrency, overlap, on, params = {}, ...about } = optionsOf(options);
  const steps: AuthoredObject<AuthoredStep>[] = [];
  const groups: AuthoredObject<AuthoredGroup>[] = [];
  const written = { schedule, timezone, catchUp, concurrency, overlap, on, params, about };
  return {
    name,
    ...adder(name, steps, groups, undefined),
    [AUTHORED]: { kind: 'pipeline', name, call, ...written, steps, groups },
  };
}

/** What adds steps and groups to a pipeline, at its top or in a group. */
function adder(
  pipelineName: string,
  steps: AuthoredObject<AuthoredStep>[],
  groups: AuthoredObject<AuthoredGroup>[],
  around: AuthoredGroup | undefined,
): Steps {
  const step = (name: string, action: { readonly action: AuthoredAction }, options: StepOptions<Needs> = {}): Step => {
    const call = noteCall(options, STEP_OPTIONS, [2]);
    // Plain JavaScript may give no action; the compile step says so.
    const written = { action: action?.action, options: optionsOf(options) };
    const added = {
      name,
      [AUTHORED]: { kind: 'step' as const, name, call, pipeline: pipelineName, in: around, ...written },
    };
    steps.push(added);
    return added;
  };
  const foreach = (name: string, items: ForeachOption, build: (steps: Steps) => Step): Step => {
    const group = {
      kind: 'group' as const,
      name,
      call: noteCall({}, {}),
      pipeline: pipelineName,
      in: around,
      foreach: items,
      last: undefined as { readonly given: unknown } | undefined,
    };
    const added = { name, [AUTHORED]: group };
    // Before those in it: outer ones come first.
    groups.push(added);
    if (typeof build === 'function') group.last = { given: build(adder(pipelineName, steps, groups, group)) };
    return added;
  };
  // The signatures' types describe results that exist only when the pipeline runs.
  return { step: step as Steps['step'], foreach: foreach as Steps['foreach'] };
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

// What a pipeline's step does: a TypeScript function, a Python script, or a built-in.

import type { AuthoredAction, AuthoredObject, AuthoredModel, AuthoredService } from './authored.ts';
import { findSlips, type OptionNames, optionsOf } from './call.ts';
import type { UserFunction } from '../manifest.ts';

declare const inputOf: unique symbol;
declare const outputOf: unique symbol;

/** An action that takes the results of needed steps `I` and gives `R`. */
export interface Action<I, R> {
  readonly action: AuthoredAction;
  readonly [inputOf]?: (input: I) => void;
  readonly [outputOf]?: R;
}

/**
 * A need of a task that does not name its type. Every member is there and can be anything; its array methods work for
 * the results of a `foreach`.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- what a script returns is not known before it runs
export type AnyResult = any[] & Readonly<Record<string, any>>;

/** A result that fits whatever type the task that needs it names. */
// oxlint-disable-next-line typescript/no-explicit-any -- what a script returns is not known before it runs
type NotKnown = any;

/** The needs of a task that does not name their type. */
export type AnyNeeds = Readonly<Record<string, AnyResult>>;

/** What a task gets beside its needs. */
export interface TaskContext {
  /** The run's parameters. */
  // oxlint-disable-next-line typescript/no-explicit-any -- declared by the pipeline, which is not known here
  readonly params: Readonly<Record<string, any>>;
  /** With `foreach`: this task's item, and its place. */
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the list holds
  readonly item: any;
  readonly index: number;
}

/**
 * A TypeScript function of the results of the needed steps. It may be async; its result must be plain JSON data.
 * Name the input's type to have it checked: `task((input: { fit: Fit[] }) => …)`.
 */
export function task<I = AnyNeeds, R = unknown>(run: (needs: I, context: TaskContext) => R): Action<I, Awaited<R>> {
  // Its arguments are what the pipeline's graph gives; its result is checked to be JSON when it runs.
  return { action: { kind: 'task', run: run as UserFunction } };
}

interface PythonOptions {
  readonly requirements?: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

const PYTHON_OPTIONS: OptionNames<PythonOptions> = { requirements: true, args: true };

/** A Python script, relative to the feature repository. Its environment is made once from `requirements`. */
export function python(script: string, options: PythonOptions = {}): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, PYTHON_OPTIONS, [1], 'python(…)');
  const { requirements, args } = optionsOf(options);
  return { action: { kind: 'python', script, requirements, args: args ?? {}, slips } };
}

export interface TrainingSetOptions {
  readonly service: AuthoredObject<AuthoredService>;
  /** Parquet or CSV file: relative to the feature repository, or absolute. */
  readonly spine: string;
  /** The spine's timestamp column. Default: its only timestamp column that no feature takes. */
  readonly timestamp?: string;
  readonly label?: string;
  readonly labels?: readonly string[];
  /** `before` leaves out what happened at the very time of the row: for labels that are events themselves. */
  readonly boundary?: 'at' | 'before';
}

const TRAINING_SET_OPTIONS: OptionNames<TrainingSetOptions> = {
  service: true,
  spine: true,
  timestamp: true,
  label: true,
  labels: true,
  boundary: true,
};

/** Makes a training set; its result tells the id, path and features. */
export function trainingSet(options: TrainingSetOptions): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, TRAINING_SET_OPTIONS, [0], 'trainingSet(…)');
  const { service, spine, timestamp, label, labels, boundary = 'at' } = optionsOf(options);
  if (labels !== undefined && !Array.isArray(labels))
    slips.push({ path: [0, 'labels'], message: "labels of trainingSet(…) must be an array: ['late']" });
  const allLabels = [...(label === undefined ? [] : [label]), ...(Array.isArray(labels) ? labels : [])];
  return { action: { kind: 'trainingSet', service, spine, timestamp, labels: allLabels, boundary, slips } };
}

interface RegisterModelOptions {
  readonly alias?: string;
}

const REGISTER_MODEL_OPTIONS: OptionNames<RegisterModelOptions> = { alias: true };

/** Registers the ONNX file that the needed step made as a new version of the model. */
export function registerModel(
  model: AuthoredObject<AuthoredModel>,
  options: RegisterModelOptions = {},
): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, REGISTER_MODEL_OPTIONS, [1], 'registerModel(…)');
  return { action: { kind: 'registerModel', model, alias: optionsOf(options).alias, slips } };
}

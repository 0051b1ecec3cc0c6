// Steps that Headrace itself knows how to do. `app` brings them: the orchestrator holds neither offline nor registry.

import type { StepAction } from '../definitions/index.ts';

export type TrainingSetAction = Extract<StepAction, { kind: 'trainingSet' }>;
export type RegisterModelAction = Extract<StepAction, { kind: 'registerModel' }>;

export interface BuiltInContext {
  readonly runId: string;
  readonly step: string;
  readonly index: number;
  readonly params: Readonly<Record<string, unknown>>;
  readonly needs: Readonly<Record<string, unknown>>;
  /** Of the repository; relative paths start here. */
  readonly directory: string;
  /** A line for the run's log. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A model that a needed step made: an ONNX file in the object store, and what was measured of it. */
export interface ModelCandidate {
  /** SHA-256 of the ONNX file. */
  readonly artifact: string;
  readonly metrics: Readonly<Record<string, number>>;
  /** The id of the training set that it was made from, when a step before it made one. */
  readonly trainingSet: string | null;
}

/** Each gives the step's result: plain JSON data. Must be safe to repeat: a kill may come before the result is kept. */
export interface BuiltIns {
  /** The result must carry `id`; steps after it find `path`, `rows`, `features`. */
  trainingSet(action: TrainingSetAction, context: BuiltInContext): Promise<unknown>;
  registerModel(
    action: RegisterModelAction,
    context: BuiltInContext & { readonly candidates: readonly ModelCandidate[] },
  ): Promise<unknown>;
}

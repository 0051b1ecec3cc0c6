// An arm: a variant compiled for predicting, all that a prediction needs looked up beforehand. Splits, metrics, logs and
// spans know arms alone; whatever fails at one is counted there.

import type { HeadraceError, Int64Form, Micros, Scope, Value } from '../core/index.ts';
import type { Status } from '../online/index.ts';
import type { Route } from '../rollouts/index.ts';
import type { ArmGuard } from './arm-guard.ts';
import type { Stage } from './deadlines.ts';
import type { FeaturePlan } from './feature-plan.ts';
import type { RequestRow } from './row-parser.ts';
import type { ServedModel } from './served-models.ts';

/** Hash of what gives an arm its answers: bundle, view versions, model version, configuration. */
export type ArmId = string;

/** Immutable; its model is given back when the endpoint's plan retires, after its last request. */
export interface Arm {
  readonly id: ArmId;
  /** The variant's name, or `experiment/arm`. */
  readonly name: string;
  readonly version: number;
  readonly features: FeaturePlan;
  readonly graph: ModelGraph;
  /** Features as of `at`, then inference: one row's failure is that row's alone. Throws HR_DEADLINE, HR_CANCELLED. */
  run(
    rows: readonly RequestRow[],
    scope: Scope,
    at: Micros,
    stage: Stage,
  ): Promise<readonly ArmRow[]> | readonly ArmRow[];
  /** The variant in whose place it stands; undefined for its own. */
  readonly fallbackFrom?: string;
  /** What keeps it from answering while it fails; undefined for the base. */
  readonly guard?: ArmGuard;
  /** Of one that stands in since a breaker is open: the guard of the other. */
  readonly brokenFor?: ArmGuard;
  readonly write: ArmWriters;
  readonly sinks: readonly ArmSink[];
}

/** What the features go through. One model so far; routers, ensembles and functions will be further kinds. */
export interface ModelGraph {
  readonly kind: 'model';
  readonly model: ServedModel;
}

export type ArmRow = AnsweredRow | FailedRow;

export interface AnsweredRow {
  readonly error?: undefined;
  /** In the order of the model's outputs. */
  readonly outputs: readonly Value[];
  /** In the service's order, as they were read. */
  readonly features: readonly Value[];
  readonly statuses: readonly Status[];
  /** The model ran for an equal row, not for this one. */
  readonly isCached?: true;
}

export interface FailedRow {
  readonly error: HeadraceError;
}

/** One row's part of the answer as JSON, by the form of its int64. */
export type ArmWriters = Readonly<Record<Int64Form, WriteRow>>;

export type WriteRow = (id: string, row: AnsweredRow, returnsFeatures: boolean) => string;

/** What an arm's answers go to besides the client. A call a batch. */
export type ArmSink = (batch: ArmBatch) => void;

/** One request's rows at one arm, once they are answered. */
export interface ArmBatch {
  readonly scope: Scope;
  readonly at: Micros;
  /** Of the whole request. */
  readonly latencyMicros: number;
  readonly requests: readonly RequestRow[];
  readonly rows: readonly ArmRow[];
  /** What each row was assigned, even where this arm only stands in for that. */
  readonly routes: readonly Route[];
  /** `fnv1a(seed + unit)` of each row by the endpoint's seed; 0 where it has no unit. */
  readonly unitHashes: readonly number[];
  /** The endpoint's, by whose traffic the rows were assigned. */
  readonly revision: number;
  /** The arm in whose place this one stands; null for its own. */
  readonly fallbackFrom: string | null;
  /** Prediction ids; empty for failed rows. */
  readonly ids: readonly string[];
  /** False where the request failed as a whole, so that nobody got these rows. */
  readonly isAnswered: boolean;
  /** The breaker of the variant in whose place the arm stands is open: the rows are no event for it. */
  readonly isBroken: boolean;
  unitOf(row: RequestRow): readonly string[];
}

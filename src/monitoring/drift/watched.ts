// What drift asks of the rest: which endpoints there are, who answers there, and what each model version was trained on.

import type { LoggedArm } from './count-window.ts';
import type { FeatureKind } from './reference.ts';

export interface WatchedEndpoint {
  readonly name: string;
  /** Whether its rows belong to units, of which each counts once. */
  readonly hasUnits: boolean;
  /** Who has traffic. */
  readonly arms: readonly LoggedArm[];
}

export interface WatchedVersion {
  readonly features: readonly WatchedFeature[];
  /** Null where the version was made from none, or its file is gone. */
  readonly trainingSet: WatchedTrainingSet | null;
  /** Why there is none. */
  readonly lacks: string | null;
}

export interface WatchedFeature {
  readonly name: string;
  readonly kind: FeatureKind;
  /** Whether its nulls are windows without a row. */
  readonly isWindow: boolean;
}

export interface WatchedTrainingSet {
  readonly id: string;
  readonly path: string;
  /** Its column of times. */
  readonly timestamp: string;
  readonly rows: number;
}

/** By a type's name: of times, lists, vectors and bytes only whether they are there is watched. */
export function kindOfType(type: string): FeatureKind {
  if (/^(int32|int64|float32|float64)$/.test(type)) return 'number';
  return /^(string|bool)$/.test(type) ? 'category' : 'opaque';
}

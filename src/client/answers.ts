// What calls give back.

import type { Api, NameIn } from './api.ts';
import type { AnswerForm, ReceivedColumns, ReceivedRow, SentRow } from './column-values.ts';

/** How a feature's value came about. */
export type FeatureStatus = 'PRESENT' | 'NULL_VALUE' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE' | 'INVALID';

/** A row to predict for. */
export type PredictRow<A extends Api, E extends NameIn<A['endpoints']>> = SentRow<A['endpoints'][E]['request']>;
/** A row to read features for. */
export type ReadRow<A extends Api, S extends NameIn<A['services']>> = SentRow<A['services'][S]['request']>;
/** A row to push. */
export type PushRow<A extends Api, S extends NameIn<A['sources']>> = SentRow<A['sources'][S]['columns']>;

export interface Prediction<Outputs> {
  /** Names it when its outcome is told. */
  readonly predictionId: string;
  readonly outputs: Outputs;
  readonly model: string;
  readonly version: number;
  /** A variant's name, or `experiment/arm`. */
  readonly variant: string;
  /** The variant that it was assigned to, while the server can't load that. */
  readonly fallbackFrom?: string;
}

/** What a prediction has beside it with `features: true`. */
export interface SeenFeatures<Features> {
  readonly features: Features;
  readonly statuses: { readonly [Name in keyof Features]?: FeatureStatus };
}

export type PredictionOf<A extends Api, E extends NameIn<A['endpoints']>, F extends AnswerForm, O> = Prediction<
  ReceivedRow<A['endpoints'][E]['outputs'], F>
> &
  (O extends { readonly features: true } ? SeenFeatures<ReceivedRow<A['endpoints'][E]['features'], F>> : unknown);

/** In the place of a row that failed, where each row stands alone. */
export interface FailedRow {
  readonly error: { readonly code: string; readonly detail: string; readonly path: string };
}

export interface FeatureRow<Features> {
  /** By full feature name. */
  readonly features: Features;
  /** Of features whose status isn't PRESENT. */
  readonly statuses: { readonly [Name in keyof Features]?: FeatureStatus };
  /** By view, RFC 3339: when its newest row happened; null where there is no record. */
  readonly eventTimes: Readonly<Record<string, string | null>>;
}

export interface FeatureColumns<Features> {
  /** An array of all rows' values for each feature. */
  readonly features: Features;
  /** Of features with any row whose status isn't PRESENT: of all rows then. */
  readonly statuses: { readonly [Name in keyof Features]?: readonly FeatureStatus[] };
  readonly eventTimes: Readonly<Record<string, readonly (string | null)[]>>;
}

export type FeatureRowOf<A extends Api, S extends NameIn<A['services']>, F extends AnswerForm> = FeatureRow<
  ReceivedRow<A['services'][S]['features'], F>
>;
export type FeatureColumnsOf<A extends Api, S extends NameIn<A['services']>, F extends AnswerForm> = FeatureColumns<
  ReceivedColumns<A['services'][S]['features'], F>
>;

export interface PushResult {
  readonly accepted: number;
  /** Under this key they came before: nothing changed, and this is what the first was told. */
  readonly duplicate: boolean;
  readonly views: readonly {
    readonly view: string;
    readonly written: number;
    readonly covered: number;
    readonly ignored: number;
  }[];
  /**
   * What it survives, as was confirmed before the answer. `disk`: a power cut, for the log's disk has the rows, and the
   * online store's the claim of the key. `replicas`: how many of the store's replicas have the claim; 0 without a key.
   */
  readonly durable: { readonly disk: boolean; readonly replicas: number };
  /** Rows that a rule of the source set apart. */
  readonly quarantined?: number;
  /** Rules that rows break which were taken all the same. */
  readonly warnings?: readonly { readonly rule: string; readonly rows: number }[];
}

/** What became of a prediction, by its id, or of the newest one of a unit. A number is finite; one past 2^53 goes as text. */
export type Outcome = { readonly value: number | boolean | string | null } & (
  | { readonly predictionId: string; readonly observedAt?: Date | string }
  | {
      /** The value of the endpoint's unit, an array where it is several columns. */
      readonly unit: UnitValue | readonly UnitValue[];
      /** When it happened. */
      readonly at: Date | string;
      /** Only a prediction made then or later. */
      readonly from?: Date | string;
      /** In place of `from`: how long before `at`, such as `7d`. */
      readonly within?: string;
      /** Its time is `at`. */
      readonly observedAt?: never;
    }
);
type UnitValue = string | number | boolean;

/** Of whom a flag is asked: the unit, or attributes by column. */
export type FlagContext = { readonly targetingKey?: string } & Readonly<Record<string, unknown>>;

export interface Flag {
  readonly key: string;
  /** The variant's name, or the arm's; null for who is not in it: the caller's default counts. */
  readonly value: string | null;
  /** TARGETING_MATCH, SPLIT, STATIC, DEFAULT or DISABLED. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}

export interface Variant {
  readonly name: string;
  readonly version: number;
  /** Percent. */
  readonly weight: number;
}

export interface EndpointState {
  readonly model: string;
  readonly unit: readonly string[];
  readonly variants: readonly Variant[];
  /** At the server that answers: serving, stale, failed or empty. */
  readonly state: string;
}

export interface Health {
  readonly isReady: boolean;
  /** What the server says of itself: more of it to a key that may read. */
  readonly told: Readonly<Record<string, unknown>>;
}

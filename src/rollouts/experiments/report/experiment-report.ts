// A report: who took part, whether the split can be trusted, and what each metric says of each arm. Its shape is the API's.

/** `[lo, hi]`; null where there is none: too few units yet. */
export type Interval = readonly [lo: number | null, hi: number | null];

export interface Effect {
  readonly estimate: number | null;
  readonly se: number | null;
  /** Of a fixed horizon: one look, at a time that was fixed before. */
  readonly p: number | null;
  readonly fixed: Interval;
  /** Holds at every look at once. */
  readonly always: Interval;
  readonly always_p: number | null;
}

export interface RelativeEffect extends Effect {
  /**
   * Whether `always` and `always_p` don't hold as surely as the difference's: of values without an end that are not winsorised a few
   * units may have most, and of a control that is high or low by chance the lift then looks sure.
   */
  readonly always_is_approximate: boolean;
}

export interface CupedEffect extends Effect {
  readonly theta: number;
  /** The part of the variance that the time before took out. */
  readonly variance_reduction: number | null;
}

export interface ArmComparison {
  /** Compared with the control. */
  readonly arm: string;
  readonly difference: Effect;
  /** A share of the control's value; null where that is 0. Shown; verdicts go by `difference`. */
  readonly relative: RelativeEffect | null;
  /** The difference with the time before taken out; null where the metric names none. */
  readonly cuped: CupedEffect | null;
  /** Of a goal: corrected over all goals and arms, `correction` says how. */
  readonly adjusted_p: number | null;
  /**
   * What can be said by the difference's always-valid interval; of a goal, by that of all goals together. `higher` and `lower` of a
   * metric that has no better.
   */
  readonly verdict: 'better' | 'worse' | 'higher' | 'lower' | 'undecided';
}

export interface ArmValue {
  readonly arm: string;
  /** Units that the value is of. */
  readonly units: number;
  readonly value: number | null;
  readonly se: number | null;
}

export interface MetricReport {
  readonly name: string;
  readonly role: 'goal' | 'secondary' | 'guardrail';
  readonly kind: 'mean' | 'ratio' | 'quantile';
  readonly aggregate: string | null;
  readonly direction: 'up' | 'down' | 'none';
  readonly description: string | null;
  readonly arms: readonly ArmValue[];
  readonly comparisons: readonly ArmComparison[];
}

export interface ExperimentReport {
  readonly name: string;
  readonly phase: number | 'all';
  readonly state: 'running' | 'ended';
  readonly plan: 'split' | 'bandit';
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly made_at: string;
  /** Names what it was made of: another snapshot, other rows or other metrics. */
  readonly snapshot: string;
  readonly alpha: number;
  readonly correction: 'holm' | 'bh';
  readonly control: string;
  readonly decision: string;
  /** What a reader has to know before the figures are believed. */
  readonly notes: readonly string[];
  readonly arms: readonly {
    readonly name: string;
    readonly version: number;
    /** Percent of all units. */
    readonly weight: number;
    readonly units: number;
  }[];
  readonly dropped: {
    readonly two_arms: number;
    readonly forced_rows: number;
    readonly rows_without_unit: number;
  };
  readonly srm: {
    readonly p: number | null;
    readonly e: number;
    readonly expected: readonly number[];
    readonly is_mismatch: boolean;
  };
  readonly metrics: readonly MetricReport[];
  /** Units seen up to a time, in the order of `arms`. */
  readonly timeline: readonly { readonly at: string; readonly units: readonly number[] }[];
}

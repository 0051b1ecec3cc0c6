// Experiments as a manifest has them: arms, what is measured of units, and how it is judged.

import type { Condition, Micros } from '../core/index.ts';
import type { About, QueriedSource } from './manifest.ts';

export interface ExperimentSpec extends About {
  readonly name: string;
  /** Request columns whose values together are a unit. */
  readonly unit: readonly string[];
  readonly endpoints: readonly string[];
  /** In the order declared. */
  readonly arms: readonly ArmSpec[];
  /** The arm that others are compared with. */
  readonly control: string;
  readonly namespace?: NamespaceSpec;
  /** On request columns. */
  readonly when?: Condition;
  readonly metrics: Readonly<Record<MetricRole, readonly MetricSpec[]>>;
  readonly plan: ExperimentPlan;
}

export interface ArmSpec {
  readonly name: string;
  /** A number, an alias or `latest`. */
  readonly version: number | string;
  /** Percent, in steps of 0.01; all sum to 100 at most. */
  readonly weight: number;
}

export interface NamespaceSpec {
  readonly name: string;
  /** Fractions, half-open. */
  readonly range: readonly [from: number, to: number];
}

export type MetricRole = 'goal' | 'secondary' | 'guardrail';
export type MetricAggregate = 'sum' | 'mean' | 'count' | 'any';
/** Which way is better; `none`: neither. */
export type MetricDirection = 'up' | 'down' | 'none';
export type Correction = 'holm' | 'bh';

export type ExperimentPlan = {
  /** The risk of a false claim, over goals and arms. */
  readonly alpha: number;
  readonly correction: Correction;
} & (
  | { readonly kind: 'split' }
  | { readonly kind: 'bandit'; readonly everyMicros: Micros /** A fraction. */; readonly floor: number }
);

export interface MetricSpec extends About {
  readonly name: string;
  /** One, or the two of a ratio: the sum of the first over that of the second. */
  readonly parts: readonly MetricPartSpec[];
  /** Of all values, not of units: 0 to 1. */
  readonly quantile?: number;
  /** Quantiles over units at which values end. */
  readonly winsorize?: { readonly lower?: number; readonly upper?: number };
  /** What it was before the first exposure; its window is that long. */
  readonly prePeriod?: MetricPartSpec;
  readonly direction: MetricDirection;
  /** The change that is worth knowing, as a part of the control's value. */
  readonly worth: number;
}

/** One number a unit, made of its values. */
export interface MetricPartSpec {
  readonly values:
    | { readonly kind: 'outcome'; readonly endpoint: string }
    | { readonly kind: 'output'; readonly endpoint: string; readonly output: string }
    | { readonly kind: 'sql'; readonly sql: string; readonly over: readonly QueriedSource[] };
  /** Left out: `any` of booleans, `sum` of numbers. */
  readonly aggregate?: MetricAggregate;
  /** From the first exposure on; left out: to the end. */
  readonly windowMicros?: Micros;
}

// Metrics of experiments: what is measured of each unit, from outcomes, logged outputs, or SQL over sources.

import {
  ABOUT_OPTIONS,
  type AboutOptions,
  type AnyMetricOptions,
  type AuthoredEndpoint,
  type AuthoredMetric,
  type AuthoredObject,
  type SqlText,
} from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { Source } from './source.ts';
import type { MetricAggregate, MetricDirection } from '../experiment-spec.ts';

/** What is measured of an experiment's units, under a name. */
export interface Metric extends AuthoredObject<AuthoredMetric> {
  readonly name: string;
}

type AnySource = Pick<Source, typeof AUTHORED | 'name'>;
type AnyEndpoint = AuthoredObject<AuthoredEndpoint>;

/** Where a metric's values come from: one of the three. */
export type MetricValues = OutcomeValues | OutputValues | SqlValues;

interface OutcomeValues {
  /** The endpoint whose outcomes they are, each at the time at which it was observed. */
  readonly outcome: AnyEndpoint;
}

interface OutputValues {
  /** A model's output as it was logged, at the time of the prediction. */
  readonly output: string;
  /** The endpoint that gives it. Default: the experiment's, where it has one. */
  readonly endpoint?: AnyEndpoint;
}

interface SqlValues {
  /** A SELECT that gives `unit`, `time` and `value`. A unit is what the request has; of several columns, their JSON array. */
  readonly sql: string | SqlText;
  /** The sources that it reads, by their names. */
  readonly over: readonly AnySource[];
  /** Sources whose rows hold at all times. */
  readonly static?: readonly AnySource[];
}

/** One number a unit. */
export type MetricPart = MetricValues & AggregateOptions;

interface AggregateOptions {
  /** How a unit's values become one. Default: `any` of booleans, `sum` of numbers. A unit without values has 0; with `mean`, none. */
  readonly aggregate?: MetricAggregate;
  /** How long after the unit's first exposure values count, such as '7d'. Default: to the end. */
  readonly window?: string;
}

interface TestOptions extends AboutOptions {
  /** Units beyond these quantiles count as if they were there: 0.99 is the upper one. */
  readonly winsorize?: number | WinsorizeOptions;
  /** Which way is better; `none` of a secondary one where neither is. Default: `up`. */
  readonly direction?: MetricDirection;
  /** The change that is worth knowing, as a part of the control's value: what always-valid intervals look for. Default: 0.1. */
  readonly worth?: number;
}

export interface WinsorizeOptions {
  readonly lower?: number;
  readonly upper?: number;
}

export type MetricOptions = TestOptions &
  (
    | (MetricPart & {
        /** The same unit's value of the time before its first exposure, `window` long: it takes noise out (CUPED). */
        readonly prePeriod?: Metric;
        readonly quantile?: never;
        readonly ratio?: never;
      })
    | (MetricValues & {
        /** The quantile of all values, units being clusters: 0.9 of latencies, say. */
        readonly quantile: number;
        readonly window?: string;
        readonly aggregate?: never;
        readonly prePeriod?: never;
        readonly ratio?: never;
      })
    | {
        /** The sum of the first over the sum of the second: revenue per order, say, where units have many orders. */
        readonly ratio: readonly [numerator: MetricPart, denominator: MetricPart];
        readonly quantile?: never;
        readonly aggregate?: never;
        readonly window?: never;
        readonly prePeriod?: never;
      }
  );

const PART_OPTIONS = {
  outcome: true,
  output: true,
  endpoint: true,
  sql: true,
  over: true,
  static: true,
  aggregate: true,
  window: true,
} as const;

export const METRIC_PART_OPTIONS: Readonly<Record<string, true>> = PART_OPTIONS;

const METRIC_OPTIONS: OptionNames<AnyMetricOptions & AboutOptions> = {
  ...ABOUT_OPTIONS,
  ...PART_OPTIONS,
  winsorize: true,
  prePeriod: true,
  quantile: true,
  ratio: true,
  direction: true,
  worth: true,
};

/**
 * Declares what an experiment measures.
 *
 * @example
 * metric('spent', { outcome: checkout, aggregate: 'sum', window: '7d', prePeriod: metric('before', { outcome: checkout, window: '28d' }) })
 */
export function metric(name: string, options: MetricOptions): Metric {
  const call = noteCall(options, METRIC_OPTIONS);
  // The compile step checks what the types promise, for users of plain JavaScript; so it reads the widened shape.
  const { description, owner, tags, ...written } = optionsOf(options) as AnyMetricOptions & AboutOptions;
  const about = Object.fromEntries(
    Object.entries({ description, owner, tags }).filter(([, value]) => value !== undefined),
  );
  return { name, [AUTHORED]: { kind: 'metric', name, call, options: written, about } };
}

// Experiments: arms that units are split between at random, and what is measured of them.

import { ABOUT_OPTIONS, type AboutOptions, type AuthoredExperiment, type AuthoredObject } from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { Endpoint } from './feature-service.ts';
import type { Metric } from './metric.ts';
import type { RequestCondition } from './request-condition.ts';
import type { Correction } from '../experiment-spec.ts';

export interface Experiment extends AuthoredObject<AuthoredExperiment> {
  readonly name: string;
}

/** One arm: the version of the endpoints' model that its units get. */
export interface ArmOptions {
  /** A number, an alias or `latest`; what it means is found when the experiment starts. */
  readonly version: number | string;
  /** Percent of the units, in steps of 0.01. What is left of 100 is in no experiment. */
  readonly weight: number;
}

export interface ExperimentOptions<Q extends string, A extends string> extends AboutOptions {
  /** Request columns whose values together are a unit: every endpoint has them. */
  readonly unit: readonly NoInfer<Q>[];
  /** Two or more. Each unit stays in its arm, at all of the endpoints. */
  readonly arms: Readonly<Record<A, ArmOptions>>;
  /** The arm that others are compared with. Default: the one named `control`, else the first. */
  readonly control?: NoInfer<A>;
  readonly endpoints: readonly Endpoint<Q>[];
  /** Experiments of one namespace get parts of it, and so never share a unit where the parts don't. */
  readonly namespace?: NamespaceOptions;
  /** Only requests that meet it: GrowthBook's conditions over request columns, such as `{ country: { $in: ['AT'] } }`. */
  readonly when?: RequestCondition<NoInfer<Q>>;
  readonly metrics: MetricGroups;
  readonly plan?: PlanOptions;
}

export interface NamespaceOptions {
  readonly name: string;
  /** From and to, as fractions: `[0, 0.5]`. */
  readonly range: readonly [from: number, to: number];
}

export interface MetricGroups {
  /** What decides; corrected together over all arms. */
  readonly goal: readonly Metric[];
  /** What explains. */
  readonly secondary?: readonly Metric[];
  /** What must not get worse. */
  readonly guardrail?: readonly Metric[];
}

export type PlanOptions = SplitOptions | BanditOptions;

interface TestingOptions {
  /** The risk of a false claim, over all goals and arms. Default: 0.05. */
  readonly alpha?: number;
  /** `holm` bounds the risk of any false claim, `bh` the share of false ones among claims. Default: `holm`. */
  readonly correction?: Correction;
}

interface SplitOptions extends TestingOptions {
  readonly kind?: 'split';
}

/** Weights follow the first goal, by top-two Thompson sampling: each change is a phase of its own. */
interface BanditOptions extends TestingOptions {
  readonly kind: 'bandit';
  /** How often weights change. Default: '1d'. */
  readonly every?: string;
  /** The smallest weight of an arm, as a fraction. Default: 0.01. */
  readonly floor?: number;
}

const EXPERIMENT_OPTIONS: OptionNames<ExperimentOptions<string, string>> = {
  ...ABOUT_OPTIONS,
  unit: true,
  arms: true,
  control: true,
  endpoints: true,
  namespace: true,
  when: true,
  metrics: true,
  plan: true,
};

/**
 * Declares an experiment. It runs from `headrace experiments start NAME` on.
 *
 * @example
 * experiment('ranking', {
 *   unit: ['user'], endpoints: [rank],
 *   arms: { control: { version: 1, weight: 50 }, treatment: { version: 2, weight: 50 } },
 *   metrics: { goal: [metric('clicked', { outcome: rank })] },
 * })
 */
export function experiment<Q extends string, const A extends string>(
  name: string,
  options: ExperimentOptions<Q, A>,
): Experiment {
  const call = noteCall(options, EXPERIMENT_OPTIONS);
  const { unit, arms, control, endpoints, namespace, when, metrics, plan, ...about } = optionsOf(options);
  return {
    name,
    [AUTHORED]: {
      kind: 'experiment',
      name,
      call,
      unit,
      arms,
      control,
      endpoints,
      namespace,
      when,
      metrics,
      plan,
      about,
    },
  };
}

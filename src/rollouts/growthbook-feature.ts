// How rows are assigned, as GrowthBook's SDKs read it: they evaluate it to the same, given the request's columns as
// attributes. https://docs.growthbook.io/lib/build-your-own names every member.

import type { Condition } from '../core/index.ts';
import { baseOf, BUCKETS, type BucketRange, type LiveExperiment } from '../registry/index.ts';
import { type RoutedSpec, type RoutedTraffic, routedArms } from './route.ts';

export interface GrowthBookFeature {
  readonly defaultValue: string | null;
  readonly rules: readonly GrowthBookRule[];
}

export type GrowthBookRule = ForceRule | ExperimentRule;

export interface ForceRule {
  readonly force: string;
  readonly condition?: Condition;
  readonly filters?: readonly GrowthBookFilter[];
}

export interface ExperimentRule {
  readonly key: string;
  readonly seed: string;
  readonly hashAttribute: string;
  readonly hashVersion: 2;
  /** One for each range: an arm that has two is there twice. */
  readonly variations: readonly string[];
  readonly ranges: readonly Fractions[];
  readonly meta: readonly { readonly key: string }[];
  readonly phase?: string;
  readonly condition?: Condition;
  readonly filters?: readonly GrowthBookFilter[];
}

export interface GrowthBookFilter {
  readonly attribute: string;
  readonly seed: string;
  readonly hashVersion: 2;
  readonly ranges: readonly Fractions[];
}

type Fractions = readonly [from: number, to: number];

/** Its values are the names that answers have: a variant's, or `experiment/arm`. The endpoint has a variant. */
export function endpointFeature(traffic: RoutedTraffic, spec: RoutedSpec): GrowthBookFeature {
  const { name, salt, variants, experiments } = traffic;
  const base = variants[baseOf(variants)]?.name ?? null;
  const names = new Set(routedArms(traffic).map((arm) => arm.name));
  const attribute = unitAttribute(spec.unit);
  const forced = (spec.rules ?? []).map(({ when, variant }): ForceRule => {
    return { force: names.has(variant) ? variant : (base ?? ''), condition: when };
  });
  const split = experimentRule(name, salt, spec.unit, variants, (variant) => variant);
  return {
    defaultValue: base,
    rules: [
      ...forced,
      ...holdoutRules(spec, attribute, base ?? ''),
      ...experiments.flatMap((experiment) => runningRules(experiment, (arm) => `${experiment.name}/${arm}`)),
      ...(variants.length > 1 ? [split] : []),
    ],
  };
}

/** Its values are names of arms; null outside of it. */
export function experimentFeature(experiment: LiveExperiment): GrowthBookFeature {
  return { defaultValue: null, rules: runningRules(experiment, (arm) => arm) };
}

/** The attribute that an SDK gets the unit as: its column; of several `unit`, their JSON array's text; else `request_id`. */
export function unitAttribute(unit: readonly string[]): string {
  const [column = 'request_id'] = unit;
  return unit.length > 1 ? 'unit' : column;
}

function holdoutRules({ holdout }: RoutedSpec, attribute: string, base: string): ForceRule[] {
  if (holdout === undefined) return [];
  const ranges: readonly Fractions[] = [[0, Math.round(holdout.percent * 100) / BUCKETS]];
  return [{ force: base, filters: [{ attribute, seed: holdout.name, hashVersion: 2, ranges }] }];
}

/** None where nobody is in it: SDKs fail at what has no variation. */
function runningRules(experiment: LiveExperiment, valueOf: (arm: string) => string): ExperimentRule[] {
  const { name, seed, unit, arms, phase, when, namespace } = experiment;
  if (arms.every(({ ranges }) => ranges.length === 0)) return [];
  const attribute = unitAttribute(unit);
  const rule: ExperimentRule = {
    ...experimentRule(name, seed, unit, arms, valueOf),
    phase: String(phase),
    ...(when === null ? {} : { condition: when }),
    ...(namespace === null ? {} : { filters: [{ attribute, ...namespace, hashVersion: 2 }] }),
  };
  return [rule];
}

function experimentRule(
  key: string,
  seed: string,
  unit: readonly string[],
  arms: readonly { readonly name: string; readonly ranges: readonly BucketRange[] }[],
  valueOf: (arm: string) => string,
): ExperimentRule {
  const ranges = arms.flatMap((arm) => arm.ranges.map((range) => ({ name: arm.name, range })));
  // SDKs run nothing that has one variation: a second one that nobody gets makes two.
  const [only] = ranges;
  const listed = ranges.length === 1 && only !== undefined ? [only, { name: only.name, range: [0, 0] }] : ranges;
  return {
    key,
    seed,
    hashAttribute: unitAttribute(unit),
    hashVersion: 2,
    variations: listed.map(({ name }) => valueOf(name)),
    ranges: listed.map(({ range: [from = 0, to = 0] }) => [from / BUCKETS, to / BUCKETS]),
    meta: listed.map(({ name }) => ({ key: name })),
  };
}

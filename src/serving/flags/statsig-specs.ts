// All flags as Statsig's SDKs read them: a dynamic config each, whose value is { variant, version }.

import { BUCKETS, type LiveExperiment } from '../../registry/index.ts';
import { routedArms, unitAttribute } from '../../rollouts/index.ts';
import { baseOf } from '../../registry/index.ts';
import type { Flag } from './flag.ts';
import { statsigConditions, Unsayable } from './statsig-conditions.ts';
import {
  type BucketField,
  type Conditions,
  createStatsigGates,
  ruleOf,
  type StatsigGates,
  type StatsigRule,
  type StatsigSpec,
} from './statsig-gates.ts';

export interface StatsigSpecs {
  readonly feature_gates: readonly StatsigSpec[];
  readonly dynamic_configs: readonly StatsigSpec[];
  readonly layer_configs: readonly [];
  readonly layers: Readonly<Record<string, never>>;
  /** Beside what SDKs read. */
  readonly headrace: {
    /** With these custom fields a user gets the arm that requests get. */
    readonly buckets: readonly BucketField[];
    /** Flags that can't be said in Statsig's words: SDKs know nothing of them. */
    readonly left_out: readonly { readonly flag: string; readonly reason: string }[];
  };
}

export function statsigSpecs(flags: ReadonlyMap<string, Flag>): StatsigSpecs {
  const gates = createStatsigGates();
  const configs: StatsigSpec[] = [];
  const leftOut: { flag: string; reason: string }[] = [];
  for (const flag of flags.values()) {
    try {
      configs.push(configOf(flag, gates));
    } catch (thrown) {
      if (!(thrown instanceof Unsayable)) throw thrown;
      leftOut.push({ flag: flag.name, reason: thrown.message });
    }
  }
  return {
    feature_gates: gates.all(),
    dynamic_configs: configs,
    layer_configs: [],
    layers: {},
    headrace: { buckets: gates.bucketFields(), left_out: leftOut },
  };
}

function configOf({ name, plan: { state, spec, requestColumns }, experiment }: Flag, gates: StatsigGates): StatsigSpec {
  const [rules, base] =
    experiment === null
      ? endpointRules({ state, spec, requestColumns }, gates)
      : [experimentRules(experiment, (arm) => arm, requestColumns, gates), undefined];
  const unit = experiment?.unit ?? spec.unit;
  return {
    name,
    type: 'dynamic_config',
    entity: experiment === null ? 'dynamic_config' : 'experiment',
    salt: '',
    idType: unitAttribute(unit),
    enabled: true,
    isActive: true,
    defaultValue: valueOf(base),
    rules,
  };
}

interface Arm {
  readonly name: string;
  readonly version: number;
}

function endpointRules(
  { state, spec, requestColumns }: Flag['plan'],
  gates: StatsigGates,
): [rules: readonly StatsigRule[], base: Arm | undefined] {
  const { variants, experiments, salt } = state;
  const base = variants[baseOf(variants)];
  if (base === undefined) return [[], undefined];
  const arms = routedArms(state);
  const unit = unitAttribute(spec.unit);
  const targeted = (spec.rules ?? []).map(({ when, variant }) =>
    armRule(arms.find(({ name }) => name === variant) ?? base, statsigConditions(when, requestColumns, gates)),
  );
  const { holdout } = spec;
  const held =
    holdout === undefined
      ? []
      : [armRule(base, gates.within(holdout.name, unit, [0, Math.round(holdout.percent * 100)]))];
  const running = experiments.flatMap((experiment) =>
    experimentRules(experiment, (arm) => `${experiment.name}/${arm}`, requestColumns, gates),
  );
  const split = variants.flatMap((variant) =>
    variant.ranges.map((range) => armRule(variant, gates.within(salt, unit, range))),
  );
  return [[...targeted, ...held, ...running, ...(variants.length > 1 ? split : [])], base];
}

function experimentRules(
  { seed, unit, namespace, when, arms }: LiveExperiment,
  nameOf: (arm: string) => string,
  columns: Flag['plan']['requestColumns'],
  gates: StatsigGates,
): StatsigRule[] {
  const id = unitAttribute(unit);
  const room =
    namespace === null
      ? []
      : gates.anyOf(namespace.ranges.map((range) => gates.within(namespace.seed, id, bucketsOf(range))));
  const asked = when === null ? [] : statsigConditions(when, columns, gates);
  return arms.flatMap(({ name, version, ranges }) =>
    ranges.map((range) => ({
      ...armRule({ name: nameOf(name), version }, [...room, ...asked, ...gates.within(seed, id, range)]),
      isExperimentGroup: true,
    })),
  );
}

/** Its id is what exposures tell. */
function armRule(arm: Arm, conditions: Conditions): StatsigRule {
  return ruleOf({ id: arm.name, groupName: arm.name, conditions, returnValue: valueOf(arm) });
}

function valueOf(arm: Arm | undefined): object {
  return { variant: arm?.name ?? null, version: arm?.version ?? null };
}

/** Buckets whose fraction is in the range, as `compileRoutes` compares them. */
function bucketsOf([from, to]: readonly [number, number]): [number, number] {
  return [firstFrom(from), firstFrom(to)];
}

function firstFrom(fraction: number): number {
  let bucket = Math.max(0, Math.floor(fraction * BUCKETS) - 1);
  while (bucket < BUCKETS && bucket / BUCKETS < fraction) bucket++;
  return bucket;
}

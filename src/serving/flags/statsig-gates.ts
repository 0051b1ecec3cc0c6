// Statsig's parts of a rule. Its SDKs hash by SHA-256, in 10,000 parts: what they can tell of our buckets is whether a unit's is
// below a bound, by a segment that asks for the bucket first where the user carries it, and else for a hash of Statsig's own.

import { BUCKETS } from '../../registry/index.ts';

export interface StatsigCondition {
  readonly type: 'public' | 'pass_gate' | 'fail_gate' | 'user_field' | 'unit_id';
  readonly operator?: string;
  readonly targetValue?: unknown;
  readonly field?: string;
  readonly idType?: string;
}

export interface StatsigRule {
  readonly name: string;
  readonly id: string;
  readonly groupName: string | null;
  readonly salt: string;
  readonly idType: string;
  readonly passPercentage: number;
  readonly conditions: readonly StatsigCondition[];
  readonly returnValue: unknown;
  readonly isExperimentGroup?: boolean;
}

export interface StatsigSpec {
  readonly name: string;
  readonly type: 'feature_gate' | 'dynamic_config';
  readonly entity: 'segment' | 'experiment' | 'dynamic_config';
  readonly salt: string;
  readonly idType: string;
  readonly enabled: true;
  readonly isActive: true;
  readonly defaultValue: unknown;
  readonly rules: readonly StatsigRule[];
}

/** A custom field that gives a user's bucket by a seed, of the unit that the user has as this id. */
export interface BucketField {
  readonly field: string;
  readonly seed: string;
  readonly unit: string;
}

/** All must hold. */
export type Conditions = readonly StatsigCondition[];

export interface StatsigGates {
  readonly all: () => readonly StatsigSpec[];
  readonly bucketFields: () => readonly BucketField[];
  /** Whether any of them holds; none: never. */
  anyOf(each: readonly Conditions[]): Conditions;
  not(conditions: Conditions): Conditions;
  /** Whether the unit's bucket by a seed is in the range. `unit`: the id's type. */
  within(seed: string, unit: string, range: readonly [from: number, to: number]): Conditions;
}

/** What has no unit in Headrace has none: an id that is null, "", 0 or false. */
const NO_UNIT = [null, ''];

export function createStatsigGates(): StatsigGates {
  const gates = new Map<string, StatsigSpec>();
  const fields = new Map<string, BucketField>();

  const gateOf = (key: string, make: () => Pick<StatsigSpec, 'salt' | 'idType' | 'rules'>): string => {
    const name = `segment:${key}`;
    if (!gates.has(name)) {
      const own = { name, type: 'feature_gate', entity: 'segment', enabled: true, isActive: true } as const;
      gates.set(name, { ...own, defaultValue: false, ...make() });
    }
    return name;
  };
  const anyOf = (each: readonly Conditions[]): Conditions => {
    const [only] = each;
    if (each.length === 1 && only !== undefined) return only;
    const name = gateOf(`any of ${JSON.stringify(each)}`, () => ({
      salt: '',
      idType: 'userID',
      rules: each.map((conditions, at) => ruleOf({ id: String(at), conditions, returnValue: true })),
    }));
    return [{ type: 'pass_gate', targetValue: name }];
  };
  const below = (seed: string, unit: string, bound: number): string => {
    const field = `bucket:${unit}:${seed}`;
    fields.set(field, { field, seed, unit });
    return gateOf(`${field} < ${bound}`, () => {
      const rule = (id: string, percent: number, condition: StatsigCondition): StatsigRule =>
        ruleOf({ id, idType: unit, passPercentage: percent, conditions: [condition], returnValue: true });
      return {
        salt: seed,
        idType: unit,
        rules: [
          ...NO_UNIT.map((none, at) =>
            rule(`none${at}`, 0, { type: 'unit_id', operator: 'eq', targetValue: none, idType: unit }),
          ),
          rule('below', 100, { type: 'user_field', operator: 'lt', targetValue: bound, field }),
          rule('above', 0, { type: 'user_field', operator: 'gte', targetValue: bound, field }),
          rule('hashed', percentBelow(bound), { type: 'public' }),
        ],
      };
    });
  };

  return {
    all: () => [...gates.values()],
    bucketFields: () => [...fields.values()],
    anyOf,
    not(conditions) {
      const [only] = conditions;
      if (conditions.length === 1 && only?.type === 'pass_gate') return [{ ...only, type: 'fail_gate' }];
      if (conditions.length === 1 && only?.type === 'fail_gate') return [{ ...only, type: 'pass_gate' }];
      const name = gateOf(`all of ${JSON.stringify(conditions)}`, () => ({
        salt: '',
        idType: 'userID',
        rules: [ruleOf({ id: 'all', conditions, returnValue: true })],
      }));
      return [{ type: 'fail_gate', targetValue: name }];
    },
    within(seed, unit, [from, to]) {
      const isBelow: StatsigCondition = { type: 'pass_gate', targetValue: below(seed, unit, to) };
      return from === 0 ? [isBelow] : [isBelow, { type: 'fail_gate', targetValue: below(seed, unit, from) }];
    },
  };
}

/** One that passes for all that its conditions let through, where it says no percentage. */
export function ruleOf(
  given: Pick<StatsigRule, 'id' | 'conditions' | 'returnValue'> & Partial<StatsigRule>,
): StatsigRule {
  // Every rule has the same salt: bounds of one seed contain each other.
  return { name: given.id, groupName: null, salt: 'bucket', idType: 'userID', passPercentage: 100, ...given };
}

/** The percentage that lets exactly so many parts through: SDKs hold a part against 100 times of it. */
function percentBelow(bound: number): number {
  if (bound === 0 || bound === BUCKETS) return bound / 100;
  const percent = bound / 100;
  return percent * 100 <= bound && percent * 100 > bound - 1 ? percent : (bound - 0.5) / 100;
}

// Which arm a row goes to, and why: everything that decides is compiled once for an endpoint's traffic, so that a row costs
// its hash and a few comparisons, and allocates nothing.

import { conditionAttributes, type Field, type HeadraceError, toHeadraceError, type Value } from '../core/index.ts';
import type { EndpointSpec } from '../definitions/index.ts';
import { baseOf, type EndpointState } from '../registry/index.ts';
import { compileBuckets } from './bucket-owners.ts';
import { bucketOfHash, fnv1a } from './fnv.ts';
import { compileExperiment, type ExperimentEntry } from './route-experiment.ts';
import { compileRowCondition } from './row-condition.ts';
import { compileUnitText, type UnitText } from './unit-text.ts';

/**
 * What decided. `rollout`: the variants' buckets, whichever of them; `base`: nothing splits the traffic; `no_unit`: the row has
 * no unit, so it gets the base, and is in no experiment that has this unit.
 */
export type Via = 'forced' | 'rule' | 'holdout' | 'experiment' | 'rollout' | 'base' | 'no_unit';

/** What a row is assigned: the same object for all rows of its kind. */
export interface Route {
  /** Of the arm, in `Routes.arms`. */
  readonly place: number;
  /** The variant's name; of an experiment's arm, its name within the experiment. */
  readonly variant: string;
  readonly version: number;
  readonly via: Via;
  readonly experiment: string | null;
  /** Of the experiment; 0 outside of one. */
  readonly phase: number;
}

/** An arm that rows can be assigned to. */
export interface RoutedArm {
  /** As answers, metrics and the forcing header name it: the variant's, or `experiment/arm`. */
  readonly name: string;
  readonly version: number;
  /** Percent of the variant; 0 of an experiment's arm. */
  readonly weight: number;
}

export type RoutedTraffic = Pick<EndpointState, 'name' | 'salt' | 'variants' | 'experiments'>;
export type RoutedSpec = Pick<EndpointSpec, 'unit' | 'rules' | 'holdout'>;

export interface Routes {
  /** By place: the variants, then the arms of the experiments, each in their order. */
  readonly arms: readonly RoutedArm[];
  /** Place of the base: the variant named `stable`, else the first. */
  readonly base: number;
  /** What the row is assigned by at this endpoint; '' where it has no unit. */
  readonly unitOf: UnitText;
  /** `fnv1a(seed + unit)` by the endpoint's own seed; 0 where there is no unit. */
  hashOf(unit: string): number;
  /** `unit`, `hash`: as the two above give them. The endpoint has a variant. */
  of(row: readonly Value[], requestId: string, unit: string, hash: number): Route;
  /** Of an arm by its name; undefined where there is none. */
  forced(name: string): Route | undefined;
}

/**
 * Throws HR_INVALID where something asks for a column that requests don't carry. With `onBroken` an experiment that does is told
 * there, and nobody is in it.
 */
export function compileRoutes(
  traffic: RoutedTraffic,
  spec: RoutedSpec,
  columns: readonly Field[],
  onBroken?: (error: HeadraceError) => void,
): Routes {
  const { salt, variants, experiments } = traffic;
  const arms = routedArms(traffic);
  const base = baseOf(variants);
  const seed = fnv1a(salt);
  const unitOf = compileUnitText(spec.unit, columns);
  const variantRoute = (place: number, via: Via): Route => routeOf(arms, place, via);
  const toBase = (via: Via): Route => variantRoute(base, via);
  const [heldOut, noUnit] = [toBase('holdout'), toBase('no_unit')];

  const rules = (spec.rules ?? []).map(({ when, variant }) => {
    const place = arms.findIndex(({ name }) => name === variant);
    // A rule whose variant is not there keeps its rows from whatever is tried.
    return {
      holds: compileRowCondition(when, columns),
      route: place < 0 ? toBase('rule') : variantRoute(place, 'rule'),
    };
  });
  const isHeldOut = compileHoldout(spec);
  let place = variants.length;
  const entries = experiments.flatMap((experiment): ExperimentEntry[] => {
    const first = place;
    place += experiment.arms.length;
    try {
      return [compileExperiment(experiment, first, spec.unit, columns)];
    } catch (thrown) {
      if (onBroken === undefined) throw thrown;
      onBroken(toHeadraceError(thrown));
      return [];
    }
  });
  const split = variants.map((_, at) => variantRoute(at, variants.length > 1 ? 'rollout' : 'base'));
  const ownerOf = compileBuckets(variants.map(({ ranges }) => ranges));
  const routable = [...split, ...entries.flatMap(({ routes }) => routes)];
  const forced = new Map(
    routable.map((route) => [(arms[route.place] as RoutedArm).name, { ...route, via: 'forced' as const }]),
  );

  return {
    arms,
    base,
    unitOf,
    hashOf: (unit) => (unit === '' ? 0 : fnv1a(unit, seed)),
    of(row, requestId, unit, hash) {
      for (const { holds, route } of rules) if (holds(row)) return route;
      if (isHeldOut !== undefined && unit !== '' && isHeldOut(unit)) return heldOut;
      for (const entry of entries) {
        const route = entry.of(row, requestId, unit);
        if (route !== undefined) return route;
      }
      if (unit === '') return noUnit;
      if (split.length === 1) return split[0] as Route;
      const owner = ownerOf(bucketOfHash(hash));
      return split[owner < 0 ? base : owner] as Route;
    },
    forced: (name) => forced.get(name),
  };
}

/** By place. */
export function routedArms({ variants, experiments }: Pick<RoutedTraffic, 'variants' | 'experiments'>): RoutedArm[] {
  return [
    ...variants.map(({ name, version, weight }) => ({ name, version, weight })),
    ...experiments.flatMap((experiment) =>
      experiment.arms.map(({ name, version }) => ({ name: `${experiment.name}/${name}`, version, weight: 0 })),
    ),
  ];
}

/** Request columns that rows are assigned by. */
export function routeColumns(
  { experiments }: Pick<RoutedTraffic, 'experiments'>,
  spec: RoutedSpec,
): ReadonlySet<string> {
  const conditions = [...(spec.rules ?? []), ...experiments].map(({ when }) => when);
  return new Set([
    ...spec.unit,
    ...experiments.flatMap(({ unit }) => unit),
    ...conditions.flatMap((condition) => (condition === null ? [] : conditionAttributes(condition))),
  ]);
}

function routeOf(arms: readonly RoutedArm[], place: number, via: Via): Route {
  // Without a variant there is nothing to route to, and nobody asks.
  const { name, version } = arms[place] ?? { name: '', version: 0 };
  return { place, variant: name, version, via, experiment: null, phase: 0 };
}

/** Whether a unit is held out; its seed is the holdout's name, so that all endpoints that name it hold out the same units. */
function compileHoldout({ holdout }: RoutedSpec): ((unit: string) => boolean) | undefined {
  if (holdout === undefined) return undefined;
  const buckets = Math.round(holdout.percent * 100);
  const seed = fnv1a(holdout.name);
  return (unit) => bucketOfHash(fnv1a(unit, seed)) < buckets;
}

// An experiment as rows are asked for it: its own unit, namespace, condition and buckets, compiled once.

import type { Field, Value } from '../core/index.ts';
import { BUCKETS, type LiveExperiment } from '../registry/index.ts';
import { compileBuckets } from './bucket-owners.ts';
import { bucketOfHash, fnv1a } from './fnv.ts';
import type { Route } from './route.ts';
import { compileRowCondition, type RowCondition } from './row-condition.ts';
import { compileUnitText } from './unit-text.ts';

export interface ExperimentEntry {
  /** Place of its first arm. */
  readonly first: number;
  readonly routes: readonly Route[];
  /** Undefined where the row is not in it. `unit`: by the endpoint's unit. */
  of(row: readonly Value[], requestId: string, unit: string): Route | undefined;
}

/** Throws HR_INVALID where it asks for a column that requests don't carry. `first`: place of its first arm. */
export function compileExperiment(
  experiment: LiveExperiment,
  first: number,
  endpointUnit: readonly string[],
  columns: readonly Field[],
): ExperimentEntry {
  const { name, phase, namespace, arms } = experiment;
  const routes = arms.map(
    (arm, at): Route => ({
      place: first + at,
      variant: arm.name,
      version: arm.version,
      via: 'experiment',
      experiment: name,
      phase,
    }),
  );
  const isSame =
    experiment.unit.length === endpointUnit.length && experiment.unit.every((one, at) => one === endpointUnit[at]);
  const ownUnit = isSame ? undefined : compileUnitText(experiment.unit, columns);
  const ownerOf = compileBuckets(arms.map(({ ranges }) => ranges));
  const holds: RowCondition | undefined =
    experiment.when === null ? undefined : compileRowCondition(experiment.when, columns);
  const seed = fnv1a(experiment.seed);
  const roomSeed = fnv1a(namespace?.seed ?? '');
  return {
    first,
    routes,
    of(row, requestId, endpointsUnit) {
      const unit = ownUnit === undefined ? endpointsUnit : ownUnit(row, requestId);
      if (unit === '') return undefined;
      if (namespace !== null && !isWithin(bucketOfHash(fnv1a(unit, roomSeed)), namespace.ranges)) return undefined;
      if (holds !== undefined && !holds(row)) return undefined;
      const owner = ownerOf(bucketOfHash(fnv1a(unit, seed)));
      return owner < 0 ? undefined : routes[owner];
    },
  };
}

/** By the fraction that GrowthBook's SDKs compare, so that both round alike. */
function isWithin(bucket: number, ranges: readonly (readonly [number, number])[]): boolean {
  const fraction = bucket / BUCKETS;
  for (let i = 0; i < ranges.length; i++) {
    const [from, to] = ranges[i] as readonly [number, number];
    if (fraction >= from && fraction < to) return true;
  }
  return false;
}

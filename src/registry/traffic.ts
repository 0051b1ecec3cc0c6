// What traffic an endpoint may be given: named variants of existing versions whose weights sum to 100, shadows, and the
// experiments that run on it.

import { describe, type ErrorDetail, invalid } from '../core/index.ts';
import { type BucketHolder, type BucketRange, moveBuckets } from './bucket-ranges.ts';
import { experimentMistakes, type LiveExperiment } from './live-experiment.ts';
import { givenRangeMistakes } from './range-mistakes.ts';
import { findVersion, type ModelVersion } from './model-versions.ts';

export interface Variant {
  readonly name: string;
  readonly version: number;
  /** Percent, in steps of 0.01: a hundredth of its buckets. */
  readonly weight: number;
  /** Its buckets, ascending; those of all variants are 0 to 10,000, each once. */
  readonly ranges: readonly BucketRange[];
}

/** A version that gets copies of a percentage of requests, after their responses. */
export interface Shadow {
  readonly version: number;
  readonly percent: number;
}

/** Traffic as it is asked for: a version by its number, an alias or `latest`. */
export interface Traffic {
  /** With the `ranges` of all of them those are taken; without any as few buckets move as can be. */
  readonly variants: readonly (Asked<Variant> & Partial<Pick<Variant, 'ranges'>>)[];
  readonly shadows?: readonly Asked<Shadow>[];
  /** Left out: those that run go on. */
  readonly experiments?: readonly LiveExperiment[];
}

/** The same by numbers of versions and by buckets. */
export interface ResolvedTraffic {
  readonly variants: readonly Variant[];
  readonly shadows: readonly Shadow[];
  readonly experiments: readonly LiveExperiment[];
}

/** Of one endpoint: each has metrics of its own. */
const MOST_VARIANTS = 100;
/** Likewise, and each has a model in memory. */
const MOST_SHADOWS = 10;

type Asked<T> = Omit<T, 'version' | 'ranges'> & { readonly version: number | string };

/**
 * The same by the numbers that aliases mean now, so that one that moves later never moves traffic in silence, and by the fewest
 * buckets that move from `before`. `versions`: all of the model, ascending. Throws HR_INVALID with every mistake,
 * HR_UNKNOWN_MODEL for a version that isn't there.
 */
export function resolveTraffic(
  traffic: Traffic,
  before: ResolvedTraffic & { readonly model: string },
  versions: readonly Pick<ModelVersion, 'version' | 'aliases' | 'isRetired'>[],
): ResolvedTraffic {
  const { length } = traffic.variants;
  if (length > MOST_VARIANTS)
    throw invalid([{ path: 'variants', message: `expected at most ${MOST_VARIANTS} variants, got ${length}` }]);
  const mistakes: ErrorDetail[] = [];
  const names = new Set<string>();
  let hundredths = 0;
  traffic.variants.forEach(({ name, weight }, index) => {
    const path = `variants[${index}]`;
    if (typeof name !== 'string' || !/^[A-Za-z][\w.-]{0,62}$/.test(name)) {
      mistakes.push({ path: `${path}.name`, message: `expected a name like "stable", got ${describe(name)}` });
    } else if (names.has(name)) {
      mistakes.push({ path: `${path}.name`, message: `"${name}" is there twice; each variant has its own name` });
    }
    names.add(name);
    if (isPercent(weight)) hundredths += Math.round(weight * 100);
    else mistakes.push({ path: `${path}.weight`, message: `${PERCENT}, got ${describe(weight)}` });
  });
  if (mistakes.length === 0 && hundredths !== 10_000) {
    mistakes.push({ path: 'variants', message: `expected weights that sum to 100, got ${hundredths / 100}` });
  }
  if (mistakes.length === 0) mistakes.push(...givenRangeMistakes(traffic.variants));
  const shadowed = traffic.shadows?.length ?? 0;
  if (shadowed > MOST_SHADOWS)
    mistakes.push({ path: 'shadows', message: `expected at most ${MOST_SHADOWS} shadows, got ${shadowed}` });
  traffic.shadows?.forEach(({ percent }, index) => {
    if (!isPercent(percent)) {
      mistakes.push({ path: `shadows[${index}].percent`, message: `${PERCENT}, got ${describe(percent)}` });
    }
  });
  mistakes.push(...experimentMistakes(traffic.experiments ?? []));
  if (mistakes.length > 0) throw invalid(mistakes);
  const numberOf = (asked: number | string) => findVersion(versions, before.model, String(asked)).version;
  const { experiments = before.experiments } = traffic;
  for (const { arms } of experiments) for (const { version } of arms) numberOf(version);
  const shadows = traffic.shadows?.map(({ version, percent }) => ({ version: numberOf(version), percent }));
  shadows?.forEach(({ version }, index) => {
    if (shadows.findIndex((other) => other.version === version) < index)
      mistakes.push({ path: `shadows[${index}].version`, message: `version ${version} is there twice` });
  });
  if (mistakes.length > 0) throw invalid(mistakes);
  return {
    variants: layOut(
      // What is given is as if it had been so before.
      traffic.variants.every(hasRanges) ? traffic.variants.map((one) => ({ ...one, version: 0 })) : before.variants,
      traffic.variants.map(({ name, version, weight }) => ({ name, version: numberOf(version), weight })),
    ),
    shadows: shadows ?? before.shadows,
    experiments,
  };
}

function hasRanges<T extends { readonly ranges?: readonly BucketRange[] }>(
  variant: T,
): variant is T & { readonly ranges: readonly BucketRange[] } {
  return variant.ranges !== undefined;
}

/** Variants with the buckets that they have then. */
export function layOut(before: readonly BucketHolder[], variants: readonly Omit<Variant, 'ranges'>[]): Variant[] {
  const ranges = moveBuckets(before, variants);
  return variants.map(({ name, version, weight }, at) => ({ name, version, weight, ranges: ranges[at] ?? [] }));
}

const PERCENT = 'expected a percentage from 0 to 100 with at most two decimals';

function isPercent(value: unknown): value is number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 100)) return false;
  return Math.round(value * 100) / 100 === value;
}

// Traffic as it comes over HTTP, as the registry takes it: where somebody sends ranges, the weights follow from them.

import { type ErrorDetail, invalid } from '../../core/index.ts';
import { type BucketRange, BUCKETS, rangeMistakes, type Traffic, widthOf } from '../../registry/index.ts';

type AskedVariant = Omit<Traffic['variants'][number], 'weight'> & { readonly weight?: number };

export interface AskedTraffic extends Omit<Traffic, 'variants'> {
  readonly variants: readonly AskedVariant[];
}

/** Throws HR_INVALID for a variant with neither, and for ranges that no weights follow from. */
export function readTraffic({ variants, ...rest }: AskedTraffic): Traffic {
  const lacking = variants.flatMap(({ weight }, at) => (weight === undefined ? [at] : []));
  if (lacking.length > 0) checkRanges(variants, lacking);
  return {
    ...rest,
    variants: variants.map((variant) => ({ ...variant, weight: variant.weight ?? weightOf(variant.ranges ?? []) })),
  };
}

/** In steps of 0.01, as weights are. */
const weightOf = (ranges: readonly BucketRange[]): number => widthOf(ranges) / (BUCKETS / 100);

function checkRanges(variants: readonly AskedVariant[], lacking: readonly number[]): void {
  const mistakes: ErrorDetail[] = lacking
    .filter((at) => variants[at]?.ranges === undefined)
    .map((at) => ({
      path: `variants[${at}].weight`,
      message: 'expected a weight, or the ranges of all variants, got neither',
    }));
  const all = variants.map(({ ranges = [] }) => ranges);
  if (mistakes.length === 0) mistakes.push(...rangeMistakes(all, BUCKETS, 'variants'));
  const width = widthOf(all.flat());
  const isWhole = lacking.length < variants.length || width === BUCKETS;
  if (mistakes.length === 0 && !isWhole)
    mistakes.push({
      path: 'variants',
      message: `expected ranges of all buckets, 0 to ${BUCKETS - 1}, got ${width} of them`,
    });
  if (mistakes.length > 0) throw invalid(mistakes);
}

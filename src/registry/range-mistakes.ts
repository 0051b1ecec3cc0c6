// Ranges that somebody asks for: of whole buckets, or of fractions; none may be empty, leave what there is, or overlap another.

import { describe, type ErrorDetail } from '../core/index.ts';
import { BUCKETS, type BucketRange, widthOf } from './bucket-ranges.ts';

/** Of ranges within 0 to `end`, whole buckets where that is more than 1: none may be empty, nor overlap another. */
export function rangeMistakes(
  owners: readonly (readonly (readonly [number, number])[])[],
  end: number,
  path: string,
): ErrorDetail[] {
  const all = owners.flatMap((ranges, owner) =>
    ranges.map((range, at) => ({
      range,
      path: owners.length === 1 && end === 1 ? `${path}.ranges[${at}]` : `${path}[${owner}].ranges[${at}]`,
    })),
  );
  const isPlace = (value: unknown): boolean =>
    typeof value === 'number' && value >= 0 && value <= end && (end === 1 || Number.isInteger(value));
  const wrong = all.filter(({ range: [from, to] }) => !isPlace(from) || !isPlace(to) || from >= to);
  if (wrong.length > 0) {
    return wrong.map(({ path: at, range: [from, to] }) => ({
      path: at,
      message: `expected [from, to) with 0 ≤ from < to ≤ ${end}, got [${describe(from)}, ${describe(to)}]`,
    }));
  }
  const sorted = all.toSorted((one, other) => one.range[0] - other.range[0]);
  return sorted.flatMap(({ range: [from, to], path: at }, place) => {
    const before = sorted[place - 1];
    if (before === undefined || before.range[1] <= from) return [];
    return [{ path: at, message: `[${from}, ${to}) overlaps [${before.range.join(', ')}), which ${before.path} has` }];
  });
}

/** Of variants' own, as somebody gives them back: of all or of none, each as wide as its weight. Then they leave nothing out. */
export function givenRangeMistakes(
  variants: readonly { readonly weight: number; readonly ranges?: readonly BucketRange[] }[],
): ErrorDetail[] {
  if (variants.every(({ ranges }) => ranges === undefined)) return [];
  const lacking = variants.findIndex(({ ranges }) => ranges === undefined);
  if (lacking >= 0)
    return [
      { path: `variants[${lacking}].ranges`, message: 'expected ranges of all variants, or of none, got nothing' },
    ];
  const all = variants.map(({ ranges }) => ranges ?? []);
  const wrong = rangeMistakes(all, BUCKETS, 'variants');
  if (wrong.length > 0) return wrong;
  return variants.flatMap(({ weight }, at) => {
    const width = widthOf(all[at] ?? []);
    if (width === Math.round(weight * 100)) return [];
    const message = `expected ${weight} % of ${BUCKETS} buckets, as its weight, got ${width}. Leave ranges out, and as few move as can be`;
    return [{ path: `variants[${at}].ranges`, message }];
  });
}

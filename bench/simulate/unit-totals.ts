// An experiment's arm as a report sums it: each unit's values so far are one value, and the sums are over units.

import type { PairSums } from '../../src/statistics/index.ts';

export interface UnitTotals {
  readonly add: (unit: number, value: number, clicks: number, earlier: number) => void;
  readonly value: { n: number; sum: number; squares: number };
  readonly ratio: PairSums;
  readonly withPast: PairSums;
  readonly values: number[];
  readonly unitsOfValues: number[];
}

type Sums = { -readonly [name in keyof PairSums]: PairSums[name] };

/** An arm's sums over units, each unit's being all of its values so far. */
export function createUnitTotals(units: number): UnitTotals {
  const total = new Float64Array(units);
  const clicked = new Float64Array(units);
  const seen = new Uint8Array(units);
  const value = { n: 0, sum: 0, squares: 0 };
  const ratio: Sums = { n: 0, y: 0, yy: 0, x: 0, xx: 0, xy: 0 };
  const withPast: Sums = { n: 0, y: 0, yy: 0, x: 0, xx: 0, xy: 0 };
  const values: number[] = [];
  const unitsOfValues: number[] = [];
  return {
    value,
    ratio,
    withPast,
    values,
    unitsOfValues,
    add(unit, added, clicks, past) {
      values.push(added);
      unitsOfValues.push(unit);
      if (seen[unit] === 0) {
        seen[unit] = 1;
        value.n++;
        ratio.n++;
        withPast.n++;
        withPast.x += past;
        withPast.xx += past * past;
      }
      const y = total[unit] as number;
      const c = clicked[unit] as number;
      const grown = y * added * 2 + added * added;
      value.sum += added;
      value.squares += grown;
      ratio.y += added;
      ratio.yy += grown;
      ratio.x += clicks;
      ratio.xx += clicks * (2 * c + 1) * clicks;
      ratio.xy += (y + added) * (c + clicks) - y * c;
      withPast.y += added;
      withPast.yy += grown;
      withPast.xy += added * past;
      total[unit] = y + added;
      clicked[unit] = c + clicks;
    },
  };
}

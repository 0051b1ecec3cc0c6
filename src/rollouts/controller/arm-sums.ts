// Sums of an arm's outcomes, by group of units.

import { type GroupedOutcomes, UNIT_GROUPS } from '../../statistics/index.ts';

export interface ArmSums {
  readonly n: Float64Array;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

export function emptySums(): ArmSums {
  return {
    n: new Float64Array(UNIT_GROUPS),
    sum: new Float64Array(UNIT_GROUPS),
    squares: new Float64Array(UNIT_GROUPS),
  };
}

export function addSums(sums: ArmSums, { n, sum, squares }: GroupedOutcomes): void {
  for (let g = 0; g < UNIT_GROUPS; g++) {
    sums.n[g] = (sums.n[g] as number) + (n[g] ?? 0);
    sums.sum[g] = (sums.sum[g] as number) + (sum[g] ?? 0);
    sums.squares[g] = (sums.squares[g] as number) + (squares[g] ?? 0);
  }
}

export function copySums({ n, sum, squares }: ArmSums): ArmSums {
  return { n: n.slice(), sum: sum.slice(), squares: squares.slice() };
}

// Which op computes a windowed feature.

import { type DataType, HeadraceError } from '../core/index.ts';
import type { WindowOp } from '../definitions/index.ts';
import { countOp } from './ops/count.ts';
import { countDistinctOp } from './ops/count-distinct.ts';
import { extremeOp } from './ops/extreme.ts';
import { firstLastOp } from './ops/first-last.ts';
import { floatSumOp } from './ops/float-sum.ts';
import { integerSumOp } from './ops/integer-sum.ts';
import { lastNOp } from './ops/last-n.ts';
import { meanOp } from './ops/mean.ts';
import { varianceOp } from './ops/variance.ts';
import type { Op } from './part.ts';

/** The op over a column of `type`; only a count can do without one. `n` is lastN's. */
export function windowOp(
  op: WindowOp,
  input: { readonly column: string; readonly type: DataType } | null,
  n: number,
): Op {
  if (op === 'count') return countOp(input === null ? null : input.column);
  if (input === null) throw new HeadraceError('HR_INTERNAL', `the window op "${op}" needs a column`);
  const { column, type } = input;
  switch (op) {
    case 'sum':
      return type.kind === 'int32' || type.kind === 'int64' ? integerSumOp(column) : floatSumOp(column);
    case 'mean':
      return meanOp(column, type);
    case 'min':
    case 'max':
      return extremeOp(column, type, op);
    case 'variance':
    case 'stddev':
      return varianceOp(column, op);
    case 'first':
    case 'last':
      return firstLastOp(column, type, op);
    case 'lastN':
      return lastNOp(column, type, n);
    case 'countDistinct':
      return countDistinctOp(column, type);
  }
}

// The mean: a count and a sum, shared with count(column) and sum(column).

import { type DataType } from '../../core/index.ts';
import type { Op, Place, ReadRange } from '../part.ts';
import { nonNullPart, readCount } from './count.ts';
import { floatSumPart, readFloatSum } from './float-sum.ts';
import { integerSumPart, readRoundedIntegerSum } from './integer-sum.ts';

export function meanOp(column: string, type: DataType): Op {
  const isInteger = type.kind === 'int32' || type.kind === 'int64';
  return {
    parts: [nonNullPart(column), isInteger ? integerSumPart(column) : floatSumPart(column)],
    compile([counted, summed]) {
      const count = readCount(counted as Place);
      const sum = isInteger ? readRoundedIntegerSum(summed as Place) : readFloatSum(summed as Place);
      const readNumber: ReadRange<number | null> = (run, from, to) => {
        const n = count(run, from, to);
        return n === 0 ? null : sum(run, from, to) / n;
      };
      return { readNumber, read: readNumber };
    },
  };
}

// The mean: a count and a sum, shared with count(column) and sum(column).

import type { DataType } from '../../core/index.ts';
import type { Op, Place, ReadRange } from '../part.ts';
import { nonNullPart, readCount } from './count.ts';
import { floatSumPart, readFloatMean } from './float-sum.ts';
import { integerSumPart, readRoundedIntegerSum } from './integer-sum.ts';

export function meanOp(column: string, type: DataType): Op {
  const isInteger = type.kind === 'int32' || type.kind === 'int64';
  return {
    parts: [nonNullPart(column), isInteger ? integerSumPart(column) : floatSumPart(column)],
    compile([counted, summed]) {
      const read = isInteger ? readIntegerMean : readFloatMean;
      const readNumber = read(counted as Place, summed as Place);
      return { readNumber, read: readNumber };
    },
  };
}

function readIntegerMean(counted: Place, summed: Place): ReadRange<number | null> {
  const count = readCount(counted);
  const sum = readRoundedIntegerSum(summed);
  return (run, from, to) => {
    const n = count(run, from, to);
    return n === 0 ? null : sum(run, from, to) / n;
  };
}

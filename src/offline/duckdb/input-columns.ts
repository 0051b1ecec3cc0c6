// An aggregator's input on its way out of DuckDB: as columns of plain numbers where it has them, and back to an InputColumn.

import type { DuckDBVector } from '@duckdb/node-api';
import type { AggregatorInput, InputColumn } from '../../aggregation/index.ts';
import type { Value } from '../../core/index.ts';
import { timeNumberSql } from '../sources/sql-text.ts';
import { numbersOf, readerOf } from './vector-values.ts';

/** SQL of the columns that `readInput` takes: values and, for numbers, their validity. `name` is SQL too. */
export function inputColumns({ type }: AggregatorInput, name: string): string[] {
  const valid = `CAST(${name} IS NOT NULL AS UTINYINT)`;
  switch (type.kind) {
    case 'int64':
      return [valid, `CAST(${name} >> 32 AS DOUBLE)`, `CAST(${name} & 4294967295 AS DOUBLE)`];
    case 'timestamp':
      return [valid, timeNumberSql(name)];
    case 'bool':
    case 'int32':
    case 'float32':
    case 'float64':
      return [valid, `CAST(${name} AS DOUBLE)`];
    default:
      return [name];
  }
}

/** `next` gives the columns of `inputColumns`, one after the other, each of `size` rows. */
export function readInput({ type }: AggregatorInput, size: number, next: () => DuckDBVector): InputColumn {
  switch (type.kind) {
    case 'int64':
      return {
        valid: numbersOf<Uint8Array>(next()),
        numbers: numbersOf<Float64Array>(next()),
        low: numbersOf<Float64Array>(next()),
      };
    case 'bool':
    case 'int32':
    case 'float32':
    case 'float64':
    case 'timestamp':
      return { valid: numbersOf<Uint8Array>(next()), numbers: numbersOf<Float64Array>(next()) };
    default: {
      const read = readerOf(next(), type);
      const values: Value[] = Array.from({ length: size }, (_, row) => read(row));
      return { values, valid: Uint8Array.from(values, (value) => (value === null ? 0 : 1)) };
    }
  }
}

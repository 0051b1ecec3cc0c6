// A function of SQL that hands the rows it is called with to a loop here, in whatever order they come. DuckDB's threads
// call it while they scan: nothing of the result is gathered, copied or waited for, as it is with a stream.

import { randomUUID } from 'node:crypto';
import { DOUBLE, type DuckDBConnection, DuckDBScalarFunction, INTEGER, UTINYINT } from '@duckdb/node-api';
import type { EventNumbers } from './point-slots.ts';
import { numbersOf } from './vector-values.ts';

export interface EventTap {
  /** Passes by the rows of a query of these columns: a key (INTEGER), known time, event time and row (DOUBLE). */
  run(query: string, take: (events: EventNumbers) => void): Promise<void>;
}

export function openEventTap(connection: DuckDBConnection): EventTap {
  const name = `__hr_tap_${randomUUID().replaceAll('-', '')}`;
  // DuckDB keeps the function; what it is called for must not be kept with it.
  let taker: ((events: EventNumbers) => void) | undefined;
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name,
      parameterTypes: [INTEGER, DOUBLE, DOUBLE, DOUBLE],
      returnType: UTINYINT,
      volatile: true,
      mainFunction(info, chunk, out) {
        try {
          taker?.({
            keys: numbersOf<Int32Array>(chunk.getColumnVector(0)),
            known: numbersOf<Float64Array>(chunk.getColumnVector(1)),
            events: numbersOf<Float64Array>(chunk.getColumnVector(2)),
            rows: numbersOf<Float64Array>(chunk.getColumnVector(3)),
          });
          numbersOf<Uint8Array>(out).fill(0);
          out.flush();
        } catch (thrown) {
          info.setError(String(thrown));
        }
      },
    }),
  );
  return {
    async run(query, take) {
      taker = take;
      try {
        await connection.run(
          `SELECT sum(${name}(key, known, event, row)) FROM (${query}) AS t(key, known, event, row)`,
        );
      } finally {
        taker = undefined;
      }
    },
  };
}

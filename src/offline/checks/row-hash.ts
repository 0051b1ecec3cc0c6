// What tells a row of a file from others: what it holds, in its declared columns. So it is the same row in whatever file and
// place it lies.

import { type DuckDBConnection, DuckDBScalarFunction } from '@duckdb/node-api';
import type { Releases } from '../../checks/index.ts';
import { type Field, sameType } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { nodeDuckType, quoteName } from '../../storage/index.ts';

/** SQL of the hash of a row by these columns: 24 hex digits. */
export function rowHashSql(columns: readonly Field[]): string {
  const members = columns.map(({ name }, i) => `c${i} := ${quoteName(name)}`);
  return `left(sha256(CAST(to_json(struct_pack(${members.join(', ')})) AS VARCHAR)), 24)`;
}

let functions = 0;

/**
 * SQL of when a row was released (BIGINT micros), by columns that the source still has; null where it was not. To be
 * evaluated for the few rows alone of which it matters: it hashes them.
 */
export function releasedSql(connection: DuckDBConnection, source: SourceSpec, releases: Releases): string {
  const known = releases.of(source.name).filter(({ columns }) => columns.every((column) => hasColumn(source, column)));
  if (known.length === 0) return 'CAST(NULL AS BIGINT)';
  const times = known.map(({ columns, hashes }) => {
    const name = `__hr_released_${process.pid}_${++functions}`;
    connection.registerScalarFunction(
      DuckDBScalarFunction.create({
        name,
        parameterTypes: [nodeDuckType({ kind: 'string' })],
        returnType: nodeDuckType({ kind: 'int64' }),
        mainFunction(_info, chunk, out) {
          const vector = chunk.getColumnVector(0);
          for (let row = 0; row < chunk.rowCount; row++) {
            const released = hashes.get(String(vector.getItem(row)));
            out.setItem(row, released === undefined ? null : BigInt(released));
          }
          out.flush();
        },
      }),
    );
    return `${name}(${rowHashSql(columns)})`;
  });
  // It passes over nulls.
  return `least(${times.join(', ')})`;
}

function hasColumn({ columns }: SourceSpec, { name, type }: Field): boolean {
  return columns.some((column) => column.name === name && sameType(column.type, type));
}

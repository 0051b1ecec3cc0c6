// The facts that sampled rows may have used, by a plain join on their keys, a point at a time.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Field, Micros, Row, Value } from '../../core/index.ts';
import type { FeatureSpec, SourceSpec } from '../../definitions/index.ts';
import { nodeDuckType, quoteName } from '../../storage/index.ts';
import { keyCondition } from '../duckdb/point-keys.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import { readerOf, toDuck } from '../duckdb/vector-values.ts';
import type { FactsRelation } from '../facts/facts.ts';
import type { ReadPlan } from '../plan.ts';
import { earliestSeen, type Fact } from './evaluate-view.ts';

/** A sampled row's key and the time its view is served at. */
export interface SamplePoint {
  readonly index: number;
  readonly key: readonly Value[];
  readonly at: Micros;
}

/**
 * Calls `use` for each point with every fact of its key from the earliest that a feature can see; whether a fact was
 * known in time is the caller's to say. One point's facts are held at once.
 */
export async function readFacts(
  connection: DuckDBConnection,
  read: ReadPlan,
  { source, relation }: FactsRelation,
  points: readonly SamplePoint[],
  use: (point: SamplePoint, facts: readonly Fact[]) => void,
): Promise<void> {
  const table = '__hr_audit_points';
  const keys = read.keys.map(({ type }, i) => `k${i} ${String(nodeDuckType(type))}`);
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${table} (point INTEGER, earliest BIGINT, latest BIGINT, ${keys.join(', ')})`,
  );
  const appender = await connection.createAppender(table, null, 'temp');
  points.forEach(({ key, at }, i) => {
    const earliest = earliestSeen(read, at);
    appender.appendInteger(i);
    appender.appendBigInt(earliest === -Infinity ? -(2n ** 62n) : BigInt(earliest));
    appender.appendBigInt(BigInt(at));
    read.keys.forEach(({ type }, k) => {
      appender.appendValue(toDuck(type, key[k] ?? null), appender.columnType(k + 3));
    });
    appender.endRow();
  });
  appender.closeSync();

  const columns = neededColumns(read, source);
  const selected = [
    'k.point',
    'CAST(e.__hr_event AS DOUBLE)',
    'CAST(e.__hr_known AS DOUBLE)',
    'CAST(coalesce(e.__hr_writer, -1) AS DOUBLE)',
    'CAST(coalesce(e.__hr_offset, -1) AS DOUBLE)',
    'CAST(coalesce(e.__hr_logged, -1) AS DOUBLE)',
  ];
  const stream = await connection.stream(
    `SELECT ${[...selected, ...columns.map(({ name }) => `e.${quoteName(name)}`)].join(', ')} FROM ${relation} e ` +
      `JOIN ${table} k ON ${keyCondition(read)} AND e.__hr_event BETWEEN k.earliest AND k.latest WHERE e.__hr_known IS NOT NULL ORDER BY k.point`,
  );
  let next = 0;
  let facts: Fact[] = [];
  const finishUntil = (point: number) => {
    for (; next < point; next++) {
      use(points[next] as SamplePoint, facts);
      facts = [];
    }
  };
  for await (const chunk of readAhead(stream)) {
    const numbers = selected.map((_, i) => chunk.getColumnVector(i));
    const readers = columns.map(({ type }, i) => readerOf(chunk.getColumnVector(i + selected.length), type));
    for (let i = 0; i < chunk.rowCount; i++) {
      const [point, eventMicros, knownMicros, writer, offset, loggedMicros] = numbers.map((vector) =>
        vector.getItem(i),
      ) as [number, number, number, number, number, number];
      finishUntil(point);
      const row: Row = Object.fromEntries(columns.map(({ name }, c) => [name, readers[c]?.(i) ?? null]));
      facts.push({ row, eventMicros, knownMicros, writer, offset, loggedMicros });
    }
  }
  finishUntil(points.length);
}

// Every declared column takes part in the order of ties; derived ones only where a feature reads them.
function neededColumns(read: ReadPlan, source: SourceSpec): Field[] {
  const used = new Set(
    [...read.latest, ...read.windows].map((index) => (read.view.features[index] as FeatureSpec).aggregation.column),
  );
  return [...source.columns, ...source.derive.filter(({ name }) => used.has(name))];
}

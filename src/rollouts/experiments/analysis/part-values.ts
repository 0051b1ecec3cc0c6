// One number a unit, from the values that it has after its first exposure, or before it.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { MetricAggregate, MetricPartSpec } from '../../../definitions/index.ts';
import { quoteText } from '../../../storage/index.ts';
import type { AnalysedRows, SqlValues } from './analysed-experiment.ts';
import { givenUnitSql } from './unit-text.ts';

/** `after`: from the first exposure on. `before`: what lies before it, `windowMicros` long. */
export type PartSpan = 'after' | 'before';

/** Makes the table `hr_part_N` (id, n, s, a): how many values a unit has, their sum, whether any is true or not 0. */
export interface PartTable {
  readonly name: string;
  /** What a unit's number is, where it was left out by what the values are. */
  readonly aggregate: MetricAggregate;
}

export interface PartValues {
  open(part: MetricPartSpec, span: PartSpan): Promise<PartTable>;
  /** SQL of (id, value) of every single value after the first exposure. */
  single(part: MetricPartSpec): Promise<string>;
  /** Tables of users' rows that were made. */
  readonly sqlTables: readonly string[];
}

export function createPartValues(connection: DuckDBConnection, rows: AnalysedRows): PartValues {
  const sqlTables = new Map<string, string>();
  let parts = 0;

  const sqlTable = async (values: SqlValues): Promise<string> => {
    const key = JSON.stringify(values);
    const known = sqlTables.get(key);
    if (known !== undefined) return known;
    const name = `hr_sql_${sqlTables.size}`;
    const from = `(${rows.sqlValues(values)}\n)`;
    const types = await connection.runAndReadAll(`DESCRIBE SELECT unit, "time", "value" FROM ${from}`);
    const [unit = '', , value = ''] = types.getRows().map(([, type]) => String(type));
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE ${name} AS SELECT ${givenUnitSql('unit', unit)} AS unit, "time"::TIMESTAMPTZ AS value_at, \
${value === 'BOOLEAN' ? '"value"::INTEGER::DOUBLE' : 'TRY_CAST("value" AS DOUBLE)'} AS value, ${value === 'BOOLEAN'} AS is_bool FROM ${from} WHERE "value" IS NOT NULL`,
    );
    sqlTables.set(key, name);
    return name;
  };

  const joined = async ({ values, windowMicros }: MetricPartSpec, span: PartSpan): Promise<string> => {
    const { from, made } =
      values.kind === 'sql'
        ? { from: await sqlTable(values), made: 'v.value_at' }
        : { from: `(${loggedValues(values)})`, made: 'v.made_at' };
    const window = windowMicros === undefined ? undefined : `to_microseconds(${windowMicros})`;
    const bounds =
      span === 'after'
        ? [
            `${made} >= u.first_at`,
            `(u.until IS NULL OR ${made} < u.until)`,
            ...(window === undefined ? [] : [`v.value_at < u.first_at + ${window}`]),
          ]
        : ['v.value_at < u.first_at', ...(window === undefined ? [] : [`${made} >= u.first_at - ${window}`])];
    return `SELECT u.id, v.value, v.is_bool FROM hr_units u JOIN ${from} v ON v.unit = u.unit AND ${bounds.join(' AND ')}`;
  };

  return {
    async open(part, span) {
      const name = `hr_part_${parts++}`;
      await connection.run(
        `CREATE OR REPLACE TEMP TABLE ${name} AS SELECT id, count(*)::DOUBLE AS n, count(value)::DOUBLE AS numbers, \
coalesce(fsum(value), 0) AS s, coalesce(max((value <> 0)::INTEGER), 0)::DOUBLE AS a, bool_and(is_bool) AS is_bool \
FROM (${await joined(part, span)}) GROUP BY id`,
      );
      const read = await connection.runAndReadAll(`SELECT coalesce(bool_and(is_bool), false) FROM ${name}`);
      const isBool = read.getRows()[0]?.[0] === true;
      return { name, aggregate: part.aggregate ?? (isBool ? 'any' : 'sum') };
    },
    single: async (part) => `SELECT id, value FROM (${await joined(part, 'after')}) WHERE value IS NOT NULL`,
    get sqlTables() {
      return [...sqlTables.values()];
    },
  };
}

/** What a unit's number is by its row of a part's table, which it may lack. A mean of nothing is none. */
export function unitNumber({ name, aggregate }: PartTable): string {
  switch (aggregate) {
    case 'sum':
      return `coalesce(${name}.s, 0)`;
    case 'count':
      return `coalesce(${name}.n, 0)`;
    case 'any':
      return `coalesce(${name}.a, 0)`;
    case 'mean':
      return `${name}.s / nullif(${name}.numbers, 0)`;
  }
}

/** Values of logged rows with the time that they are of, and the time of the prediction; forced ones are nobody's. */
function loggedValues(values: Exclude<MetricPartSpec['values'], SqlValues>): string {
  const isOutcome = values.kind === 'outcome';
  const json = isOutcome ? 'outcome' : `json_extract(outputs, ${quoteText(`$."${values.output}"`)})`;
  return `SELECT unit, ${isOutcome ? 'observed_at' : 'predicted_at'} AS value_at, predicted_at AS made_at, \
CASE json_type(j) WHEN 'BOOLEAN' THEN (j = 'true'::JSON)::INTEGER::DOUBLE WHEN 'VARCHAR' THEN NULL ELSE \
CASE WHEN isfinite(TRY_CAST(j AS DOUBLE)) THEN TRY_CAST(j AS DOUBLE) END END AS value, \
json_type(j) = 'BOOLEAN' AS is_bool \
FROM (SELECT *, ${json} AS j FROM hr_log WHERE endpoint = ${quoteText(values.endpoint)} AND via <> 'forced') WHERE j IS NOT NULL AND json_type(j) <> 'NULL'`;
}

// Whether a query tells of a time what was known only later. By its meaning, not by its words: run over what was known by T,
// it must give the rows that it says are known by T, as it does over everything.

import type { DuckDBConnection } from '@duckdb/node-api';
import { formatTimestamp, HeadraceError, type Micros } from '../../../core/index.ts';
import type { Definitions, SourceSpec } from '../../../definitions/index.ts';
import { quoteName, quoteText } from '../../../storage/index.ts';
import { derivedColumns, withTimes } from '../../facts/derived-columns.ts';
import { NOT_IN_LOG } from '../../facts/raw-rows.ts';
import { queryWork } from '../source-errors.ts';
import { type OverSource, showSources } from './over-sources.ts';

/**
 * Times that are tried, spread over those that the query's rows tell, and over those at which each source came to know
 * something: just before, when a row that is made of it must not be there. So what few rows of a small source leak is found
 * as well. Each is a run of the query.
 */
const TRIED = { few: 16, many: 4 };
/** As many rows are many. */
const MANY_ROWS = 100_000;

export interface CheckedQuery {
  /** Over the sources' views, by the declared columns. */
  readonly sql: string;
  /** Where its rows over everything lie. */
  readonly path: string;
  readonly over: readonly OverSource[];
}

/** Throws HR_QUERY_LEAKS with a row. Leaves the views showing all that is known. */
export async function checkLeaks(
  connection: DuckDBConnection,
  source: SourceSpec,
  definitions: Definitions,
  query: CheckedQuery,
): Promise<void> {
  const derived = await derivedColumns(connection, source, definitions, undefined);
  const timed = (rows: string) =>
    `FROM ${withTimes(source, `(SELECT ${['*', NOT_IN_LOG, ...derived].join(', ')} FROM ${rows})`)}`;
  const all = timed(`read_parquet(${quoteText(query.path)})`);
  for (const at of await timesToTry(connection, all, query.over)) {
    await showSources(connection, query.over, at);
    const then = timed(`(${query.sql})`);
    const differing = await queryWork(`source "${source.name}" cannot be checked`, 'HR_SOURCE_UNREADABLE', () =>
      firstDifference(connection, `${all} WHERE __hr_known <= ${at}`, `${then} WHERE __hr_known <= ${at}`, source),
    );
    if (differing !== undefined) throw leak(source, at, differing);
  }
  await showSources(connection, query.over);
}

/**
 * Times spread over those at which the query's own rows became known, where one that is made of what came later shows; and as
 * many over its sources', where one shows that is gone by what came later. Few times are all tried.
 */
async function timesToTry(
  connection: DuckDBConnection,
  all: string,
  over: readonly OverSource[],
): Promise<readonly Micros[]> {
  const told = `SELECT 0 AS origin, __hr_known AS known ${all}`;
  const inputs = over.flatMap(({ facts, isStatic }, i) =>
    isStatic ? [] : [`SELECT ${i + 1} AS origin, __hr_known - 1 AS known FROM ${facts.relation}`],
  );
  const read = await connection.runAndReadAll(
    `WITH times AS (SELECT DISTINCT * FROM (${[told, ...inputs].join(' UNION ALL ')}) WHERE known IS NOT NULL), ` +
      `parts AS (SELECT CASE WHEN count(*) < ${MANY_ROWS} THEN ${TRIED.few} ELSE ${TRIED.many} END AS parts FROM times) ` +
      `SELECT DISTINCT CAST(max(known) AS DOUBLE) AS known FROM ` +
      `(SELECT origin, known, ntile(CAST((SELECT parts FROM parts) AS INTEGER)) OVER (PARTITION BY origin ORDER BY known) AS part FROM times) GROUP BY origin, part ORDER BY known`,
  );
  return read.getRows().map(([time]) => time as Micros);
}

interface Difference {
  /** The row, as JSON. */
  readonly row: string;
  /** Whether it was there only by what came later. */
  readonly isNew: boolean;
}

async function firstDifference(
  connection: DuckDBConnection,
  all: string,
  then: string,
  { columns }: SourceSpec,
): Promise<Difference | undefined> {
  const names = columns.map(({ name }) => quoteName(name)).join(', ');
  const rows = (from: string) => `SELECT ${names} ${from}`;
  for (const isNew of [true, false]) {
    const [one, other] = isNew ? [all, then] : [then, all];
    const read = await connection.runAndReadAll(
      `SELECT to_json(differing)::VARCHAR FROM (${rows(one)} EXCEPT ALL ${rows(other)} LIMIT 1) AS differing`,
    );
    const row = read.getRows()[0]?.[0];
    if (typeof row === 'string') return { row, isNew };
  }
  return undefined;
}

function leak({ name }: SourceSpec, at: Micros, { row, isNew }: Difference): HeadraceError {
  const time = formatTimestamp(at);
  const shown = row.length > 300 ? `${row.slice(0, 300)}…` : row;
  const what = isNew
    ? `its row ${shown} says that it was known by ${time}, and the query does not give it from what was known then`
    : `what was known by ${time} gives the row ${shown}, which is gone with what came later`;
  return new HeadraceError(
    'HR_QUERY_LEAKS',
    `source "${name}": ${what}. Join what changes over time as of the event (ASOF JOIN), let \`knownTime\` be the latest of all rows that a row is made of (greatest(…)), or name a source under \`static\` whose rows hold at all times.`,
  );
}

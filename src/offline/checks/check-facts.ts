// A source's facts held to what is expected of them: single values in one pass over their columns, rules of all rows
// together, and how many rows are set apart.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Finding, suchAs } from '../../checks/index.ts';
import { counted, formatDuration, formatTimestamp, type Micros } from '../../core/index.ts';
import { type Expectation, isValueRule, showRule, type SourceSpec, type TableRule } from '../../definitions/index.ts';
import { quoteName } from '../../storage/index.ts';
import type { Facts } from '../facts/facts.ts';
import { brokenSql, typeOfColumn } from './rule-sql.ts';

export interface FactsCheck {
  readonly now: Micros;
  /** Relations whose rows' values are looked at; all facts when left out. */
  readonly rows?: readonly string[];
  /** Event time of the newest fact, where it is known by now; null for none. */
  readonly newestMicros?: Micros | null;
}

/** In the rules' order. Rules of all rows together are of all facts, whichever rows' values are looked at. */
export async function checkFacts(
  connection: DuckDBConnection,
  facts: Pick<Facts, 'source' | 'relation' | 'apart'>,
  check: FactsCheck,
): Promise<Finding[]> {
  const { source } = facts;
  const expected = source.expect ?? [];
  if (expected.length === 0) return [];
  const of = `source "${source.name}"`;
  const values = await checkValues(connection, source, check.rows ?? [facts.relation]);
  const apart = await countApart(connection, facts);
  const findings: Finding[] = [];
  for (const rule of expected) {
    const told = { of, rule: showRule(rule), onFail: rule.onFail };
    if (rule.onFail === 'quarantine') findings.push({ ...told, failed: apart.get(rule) ?? 0, found: null });
    else if (isValueRule(rule)) findings.push({ ...told, ...(values.get(rule) as Broken) });
    else findings.push({ ...told, ...(await checkTable(connection, rule, facts.relation, check)) });
  }
  return findings;
}

type Broken = Pick<Finding, 'failed' | 'found'>;

const NONE: Broken = { failed: 0, found: null };

async function checkValues(
  connection: DuckDBConnection,
  source: SourceSpec,
  relations: readonly string[],
): Promise<ReadonlyMap<Expectation, Broken>> {
  const rules = (source.expect ?? [])
    .filter((rule) => rule.onFail !== 'quarantine' && isValueRule(rule))
    .filter(isValueRule);
  const found = new Map<Expectation, Broken>(rules.map((rule) => [rule, NONE]));
  if (rules.length === 0 || relations.length === 0) return found;
  const brokenBy = rules.map((rule) => brokenSql(rule, typeOfColumn(source, rule.column)));
  const counts = brokenBy.map((broken) => `CAST(count(*) FILTER (WHERE ${broken}) AS DOUBLE)`);
  for (const relation of relations) {
    const row = (
      await connection.runAndReadAll(`SELECT ${counts.join(', ')} FROM ${relation}`)
    ).getRows()[0] as number[];
    for (const [i, rule] of rules.entries()) {
      const failed = row[i] ?? 0;
      if (failed === 0) continue;
      const before = found.get(rule) as Broken;
      const example =
        before.found ?? suchAs(await exampleOf(connection, rule.column, `${relation} WHERE ${brokenBy[i]}`));
      found.set(rule, { failed: before.failed + failed, found: example });
    }
  }
  return found;
}

/** The least as text, which does not depend on the order of rows. Asked for where there is one: texts of all rows cost. */
export async function exampleOf(connection: DuckDBConnection, column: string, from: string): Promise<string | null> {
  const sql = `SELECT left(min(CAST(${quoteName(column)} AS VARCHAR)), 60) FROM ${from}`;
  return (await connection.runAndReadAll(sql)).getRows()[0]?.[0] as string | null;
}

/** Rows that are set apart by rule; one that breaks several is counted at each. */
async function countApart(
  connection: DuckDBConnection,
  { apart }: Pick<Facts, 'apart'>,
): Promise<ReadonlyMap<Expectation, number>> {
  if (apart === undefined) return new Map();
  const counts = apart.rules.map((_, i) => `CAST(count(*) FILTER (WHERE list_contains(__hr_broken, ${i})) AS DOUBLE)`);
  const read = await connection.runAndReadAll(`SELECT ${counts.join(', ')} FROM ${apart.relation}`);
  const row = read.getRows()[0] as number[];
  return new Map(apart.rules.map((rule, i) => [rule, Number(row[i])]));
}

async function checkTable(
  connection: DuckDBConnection,
  rule: TableRule,
  relation: string,
  { now, newestMicros }: FactsCheck,
): Promise<Broken> {
  switch (rule.rule) {
    case 'unique':
      return checkUnique(connection, rule.columns, relation);
    case 'rowCount':
      return checkCount(rule, await countOf(connection, `SELECT count(*) FROM ${relation}`));
    case 'fresh': {
      const newest = newestMicros === undefined ? await newestOf(connection, relation, now) : newestMicros;
      return checkFresh(rule, newest, now);
    }
  }
}

async function checkUnique(
  connection: DuckDBConnection,
  columns: readonly string[],
  relation: string,
): Promise<Broken> {
  const names = columns.map(quoteName);
  const whole = names.map((name) => `${name} IS NOT NULL`).join(' AND ');
  const groups = `SELECT ${names.join(', ')}, count(*) AS __hr_rows FROM ${relation} WHERE ${whole} GROUP BY ALL HAVING count(*) > 1`;
  const read = await connection.runAndReadAll(
    `SELECT CAST(coalesce(sum(__hr_rows - 1), 0) AS DOUBLE), left(min(CAST(ROW(${names.join(', ')}) AS VARCHAR)), 60) FROM (${groups})`,
  );
  const [failed, example] = read.getRows()[0] as [number, string | null];
  return failed === 0 ? NONE : { failed, found: suchAs(example) };
}

/** `what` are counted: rows, keys. */
export function checkCount(
  { min = 0, max = Infinity }: { readonly min?: number; readonly max?: number },
  count: number,
  what = 'row',
): Broken {
  return count >= min && count <= max ? NONE : { failed: 1, found: `there are ${counted(count, what)}` };
}

export function checkFresh(
  { withinMicros }: { readonly withinMicros: Micros },
  newest: Micros | null,
  now: Micros,
): Broken {
  if (newest !== null && now - newest <= withinMicros) return NONE;
  if (newest === null) return { failed: 1, found: 'there is no event' };
  return {
    failed: 1,
    found: `the newest event is of ${formatTimestamp(newest)}, ${formatDuration(roundAge(now - newest))} ago`,
  };
}

const SECOND = 1_000_000;

/** To the second: nobody wants to read micros here. */
const roundAge = (micros: Micros): Micros => Math.floor(micros / SECOND) * SECOND;

async function countOf(connection: DuckDBConnection, sql: string): Promise<number> {
  return Number((await connection.runAndReadAll(sql)).getRows()[0]?.[0]);
}

/** One that lies ahead of the clock says nothing of how fresh the others are. */
async function newestOf(connection: DuckDBConnection, relation: string, now: Micros): Promise<Micros | null> {
  const sql = `SELECT CAST(max(__hr_event) AS DOUBLE) FROM ${relation} WHERE __hr_event <= ${now}`;
  return (await connection.runAndReadAll(sql)).getRows()[0]?.[0] as Micros | null;
}

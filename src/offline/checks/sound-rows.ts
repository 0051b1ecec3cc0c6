// Which rows of a source's files are facts, and since when: all but those that a rule with onFail: 'quarantine' sets apart and
// nobody put back; one that was put back is known since its release. Part of the facts relation itself, so that training sets and
// materialize leave out the same rows. Rows of the log are no matter here: they were held to the rules when they were pushed.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Releases } from '../../checks/index.ts';
import { type Expectation, isValueRule, settingApart, type SourceSpec } from '../../definitions/index.ts';
import { quoteName } from '../../storage/index.ts';
import { tieOrder } from '../materialize/fact-sql.ts';
import { releasedSql } from './row-hash.ts';
import { brokenSql, typeOfColumn } from './rule-sql.ts';

export interface RowSorting {
  /** Those that set rows apart, as `__hr_broken` counts them: from 0. */
  readonly rules: readonly Expectation[];
  /** Whether a row's lot depends on other rows: then all files have to be looked at together. */
  readonly isTogether: boolean;
  /** The rows that are facts; the columns stay as they are. */
  sound(rows: string): string;
  /** The others, with `__hr_broken`: INTEGER[], the rules that set the row apart. */
  apart(rows: string): string;
}

/** Undefined where no rule sets rows apart. `rows` are of files, with derived columns and times. */
export function rowSorting(
  connection: DuckDBConnection,
  source: SourceSpec,
  releases: Releases,
): RowSorting | undefined {
  const rules = settingApart(source);
  if (rules.length === 0) return undefined;
  const released = releasedSql(connection, source, releases);
  const broken = rules.map((rule) =>
    isValueRule(rule) ? brokenSql(rule, typeOfColumn(source, rule.column)) : 'false',
  );
  const uniques = rules.map((rule) => (rule.rule === 'unique' ? rule.columns.map(quoteName) : undefined));
  const isTogether = uniques.some((columns) => columns !== undefined);
  const places = rules.map((_, i) => i);
  const anyOf = (letter: string): string => places.map((i) => `__hr_${letter}${i}`).join(' OR ');
  const flags = (letter: string): string => places.map((i) => `__hr_${letter}${i}`).join(', ');

  // A row that was put back is known since then: no feature could be made of it before.
  const sinceReleased =
    '* REPLACE (CASE WHEN __hr_known IS NOT NULL THEN greatest(__hr_known, __hr_back) END AS __hr_known)';
  // Adds a column for each rule that says whether the row breaks it, and `isApart`: it breaks one and was not put back. The
  // release is looked up for rows that break a rule only, as the lookup hashes the row.
  const judged = (rows: string, letter: string, by: readonly string[], isApart: string): string => {
    const flagged = `(SELECT *, ${by.map((sql, i) => `${sql} AS __hr_${letter}${i}`).join(', ')} FROM ${rows})`;
    const looked = `(SELECT *, CASE WHEN ${anyOf(letter)} THEN ${released} END AS __hr_back FROM ${flagged})`;
    const timed = `(SELECT ${sinceReleased} FROM ${looked})`;
    return `(SELECT * EXCLUDE (__hr_back), (${anyOf(letter)}) AND __hr_back IS NULL AS ${isApart} FROM ${timed})`;
  };

  // Of rows of equal values the first that was known stays, by a total order that no file's place is part of: what becomes
  // known later takes nothing from the time before. A row without a known time comes last.
  const doubles = uniques.map((columns) => {
    if (columns === undefined) return 'false';
    const order = ['__hr_known NULLS LAST', '__hr_event', ...tieOrder(source, 'ASC NULLS FIRST'), '__hr_row'];
    const place = `row_number() OVER (PARTITION BY __hr_out, ${columns.join(', ')} ORDER BY ${order.join(', ')})`;
    return `(NOT __hr_out AND ${columns.map((column) => `${column} IS NOT NULL`).join(' AND ')} AND ${place} > 1)`;
  });
  const byValue = (rows: string): string => judged(rows, 'b', broken, '__hr_out');
  const together = (rows: string): string => judged(byValue(rows), 'd', doubles, '__hr_double');
  return {
    rules,
    isTogether,
    sound(rows) {
      if (!isTogether) return `(SELECT * EXCLUDE (__hr_out, ${flags('b')}) FROM ${byValue(rows)} WHERE NOT __hr_out)`;
      return `(SELECT * EXCLUDE (__hr_out, __hr_double, ${flags('b')}, ${flags('d')}) FROM ${together(rows)} WHERE NOT __hr_out AND NOT __hr_double)`;
    },
    apart(rows) {
      const which = `list_filter([${places.map((i) => `CASE WHEN __hr_b${i} OR __hr_d${i} THEN ${i} END`).join(', ')}], x -> x IS NOT NULL)`;
      return `(SELECT * EXCLUDE (__hr_out, __hr_double, ${flags('b')}, ${flags('d')}), ${which} AS __hr_broken FROM ${together(rows)} WHERE __hr_out OR __hr_double)`;
    },
  };
}

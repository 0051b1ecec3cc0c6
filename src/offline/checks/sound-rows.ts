// Which rows of a source's files are facts: all but those that a rule with onFail: 'quarantine' sets apart and nobody put
// back. Part of the facts relation itself, so that training sets, materialize and audit leave out the same rows. Rows of the
// log are no matter here: they were held to the rules when they were pushed.

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
  // Only of rows that break a rule: it is not cheap.
  const stays = (broken: string): string =>
    released === undefined ? `(${broken})` : `CASE WHEN ${broken} THEN NOT ${released} ELSE false END`;
  const broken = rules.map((rule) =>
    isValueRule(rule) ? brokenSql(rule, typeOfColumn(source, rule.column)) : 'false',
  );
  const uniques = rules.map((rule) => (rule.rule === 'unique' ? rule.columns.map(quoteName) : undefined));
  const isTogether = uniques.some((columns) => columns !== undefined);
  const places = rules.map((_, i) => i);

  // Of rows of equal values the first that happened stays, by a total order that no file's place is part of.
  const doubles = uniques.map((columns) => {
    if (columns === undefined) return 'false';
    const order = ['__hr_event', '__hr_known', ...tieOrder(source, 'ASC NULLS FIRST'), '__hr_row'];
    const place = `row_number() OVER (PARTITION BY __hr_out, ${columns.join(', ')} ORDER BY ${order.join(', ')})`;
    return `(NOT __hr_out AND ${columns.map((column) => `${column} IS NOT NULL`).join(' AND ')} AND ${place} > 1)`;
  });
  const flagged = (rows: string): string => {
    const byValue = `(SELECT *, ${broken.map((sql, i) => `${sql} AS __hr_b${i}`).join(', ')} FROM ${rows})`;
    const anyValue = places.map((i) => `__hr_b${i}`).join(' OR ');
    const sorted = `(SELECT *, ${stays(anyValue)} AS __hr_out FROM ${byValue})`;
    return `(SELECT *, ${doubles.map((sql, i) => `${sql} AS __hr_d${i}`).join(', ')} FROM ${sorted})`;
  };
  const isDouble = stays(places.map((i) => `__hr_d${i}`).join(' OR '));
  const flags = ['__hr_out', ...places.flatMap((i) => [`__hr_b${i}`, `__hr_d${i}`])].join(', ');
  return {
    rules,
    isTogether,
    sound(rows) {
      if (!isTogether) return `(FROM ${rows} WHERE NOT ${stays(broken.join(' OR '))})`;
      return `(SELECT * EXCLUDE (${flags}) FROM ${flagged(rows)} WHERE NOT __hr_out AND NOT ${isDouble})`;
    },
    apart(rows) {
      const which = `list_filter([${places.map((i) => `CASE WHEN __hr_b${i} OR __hr_d${i} THEN ${i} END`).join(', ')}], x -> x IS NOT NULL)`;
      return `(SELECT * EXCLUDE (${flags}), ${which} AS __hr_broken FROM ${flagged(rows)} WHERE __hr_out OR ${isDouble})`;
    },
  };
}

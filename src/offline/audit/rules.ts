// Which rows of files are set apart by rules with `onFail: 'quarantine'`, row by row as the rules say it. Training sets and runs do
// the same in SQL (checks/sound-rows.ts); neither knows the other.

import { compileValueChecks, type ValueCheck } from '../../checks/index.ts';
import { compareValues, type Micros, type Row, toJson, type Value } from '../../core/index.ts';
import { settingApart, type SourceSpec } from '../../definitions/index.ts';

/** A row of a file with its derived columns and its times; a null time: it matches nothing. */
export interface TimedRow {
  readonly row: Row;
  readonly event: Micros | null;
  readonly known: Micros | null;
}

export interface ApartRules {
  /** Whether it breaks a rule of single values. */
  breaksValue(row: Row): boolean;
  /** Of each rule of rows that must differ, what it must differ by; null where a column of it is null. */
  readonly uniques: readonly ((row: Row) => string | null)[];
}

export function apartRules(source: SourceSpec): ApartRules {
  const columns = [...source.columns, ...source.derive];
  const rules = settingApart(source);
  const checks: readonly ValueCheck[] = compileValueChecks(columns, rules);
  const uniques = rules.flatMap((rule) => {
    if (rule.rule !== 'unique') return [];
    const fields = rule.columns.flatMap((name) => columns.find((column) => column.name === name) ?? []);
    return [
      (row: Row): string | null => {
        const values = fields.map(({ name, type }) => toJson(type, withoutSign(row[name] ?? null), 'text'));
        return values.includes(null) ? null : JSON.stringify(values);
      },
    ];
  });
  return { breaksValue: (row) => checks.some(({ column, isBroken }) => isBroken(row[column] ?? null)), uniques };
}

// −0 is 0.
const withoutSign = (value: Value): Value => (value === 0 ? 0 : value);

/** What was known first comes first, so that what becomes known later takes nothing from the time before. */
export function compareKnown(source: SourceSpec, a: TimedRow, b: TimedRow): number {
  const created = source.createdOrder;
  const of = ({ row }: TimedRow, name: string): Value => row[name] ?? null;
  return (
    (a.known ?? Infinity) - (b.known ?? Infinity) ||
    (a.event ?? -Infinity) - (b.event ?? -Infinity) ||
    (created === undefined ? 0 : compareValues(of(a, created), of(b, created))) ||
    source.columns.reduce((order, { name }) => order || compareValues(of(a, name), of(b, name)), 0)
  );
}

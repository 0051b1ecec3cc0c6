// Which rows of files a source's rules set apart, said naively and apart from the product: row by row in the order in which they
// came to be known.

import { compareValues, type Micros, type Row, stringifyJson, toJson, type Value } from '../../src/core/index.ts';
import type { Expectation, SourceSpec } from '../../src/definitions/index.ts';

/** A row that counts. */
export interface SoundRow {
  readonly row: Row;
  /** Null: its time or its known time is null, so that it matches nothing. */
  readonly knownMicros: Micros | null;
}

/** What tells a row of a file from others: what it holds. */
export function contentOf({ columns }: Pick<SourceSpec, 'columns'>, row: Row): string {
  return stringifyJson(Object.fromEntries(columns.map(({ name, type }) => [name, toJson(type, row[name] ?? null)])));
}

/** Whether a row breaks a rule of single values that sets rows apart. */
export function breaksValueRule({ expect = [] }: Pick<SourceSpec, 'expect'>, row: Row): boolean {
  return expect.some((rule) => rule.onFail === 'quarantine' && isBroken(rule, row));
}

function isBroken(rule: Expectation, row: Row): boolean {
  if (!('column' in rule)) return false;
  const value = row[rule.column] ?? null;
  if (rule.rule === 'notNull') return value === null;
  if (value === null) return false;
  if (rule.rule === 'oneOf') return !(rule.values as readonly unknown[]).includes(value);
  if (Number.isNaN(value)) return true;
  // Of numbers alone, in these tests.
  const number = Number(value);
  return (rule.min !== null && number < Number(rule.min)) || (rule.max !== null && number > Number(rule.max));
}

/** The rows of files that count, all files together; `released`: when rows were put back, by their content. */
export function soundRows(
  source: SourceSpec,
  rows: readonly Row[],
  released: ReadonlyMap<string, Micros>,
): readonly SoundRow[] {
  const putBack = (row: Row, knownMicros: Micros | null): readonly SoundRow[] => {
    const since = released.get(contentOf(source, row));
    if (since === undefined) return [];
    return [{ row, knownMicros: knownMicros === null ? null : Math.max(knownMicros, since) }];
  };
  let arriving = rows.flatMap((row): readonly SoundRow[] => {
    const knownMicros = knownTime(source, row);
    return breaksValueRule(source, row) ? putBack(row, knownMicros) : [{ row, knownMicros }];
  });
  arriving = arriving.toSorted(
    (a, b) => (a.knownMicros ?? Infinity) - (b.knownMicros ?? Infinity) || compareRows(source, a.row, b.row),
  );
  const doubles = new Set<SoundRow>();
  for (const rule of source.expect ?? []) {
    if (rule.rule !== 'unique' || rule.onFail !== 'quarantine') continue;
    const there = new Set<string>();
    for (const one of arriving) {
      const values = rule.columns.map((name): Value => one.row[name] ?? null);
      if (values.includes(null)) continue;
      const together = stringifyJson(values.map(String));
      if (there.has(together)) doubles.add(one);
      there.add(together);
    }
  }
  return arriving.flatMap((one) => (doubles.has(one) ? putBack(one.row, one.knownMicros) : [one]));
}

function knownTime({ eventTime, knownTime: known }: SourceSpec, row: Row): Micros | null {
  const event = (row[eventTime] ?? null) as Micros | null;
  if (event === null) return null;
  if (known.kind === 'after') return event + known.micros;
  const stated = (row[known.column] ?? null) as Micros | null;
  return stated === null ? null : Math.max(stated, event);
}

/** By event time, created order and content, null first; rows without an event time last. */
function compareRows({ eventTime, createdOrder, columns }: SourceSpec, a: Row, b: Row): number {
  const event = (row: Row): number => (row[eventTime] ?? Infinity) as number;
  if (event(a) !== event(b)) return event(a) < event(b) ? -1 : 1;
  const names = [...(createdOrder === undefined ? [] : [createdOrder]), ...columns.map(({ name }) => name)];
  return names.reduce((order, name) => order || compareValues(a[name] ?? null, b[name] ?? null), 0);
}

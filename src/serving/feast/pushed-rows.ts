// The `df` of a push as rows of a source: a DataFrame's columns as Feast's clients send them, under Feast's names for times.

import { describe, type ErrorDetail, type Field, formatTimestamp, invalid, noteMistake } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { epochSeconds } from './feast-time.ts';

export type JsonRow = Readonly<Record<string, unknown>>;

/** What Feast's remote online store calls the event time, whatever its own source calls it. */
const EVENT_TIME = 'event_timestamp';
/** When Feast wrote a row: a source that has no such column knows it by the arrival. */
const CREATED: ReadonlySet<string> = new Set(['created', 'created_timestamp']);

/**
 * `names`: columns of the source by other names that the df may have for them. Whether the rows are right is for the push to
 * say. Throws HR_INVALID where they are no columns of one length.
 */
export function pushedRows(source: SourceSpec, df: unknown, names: ReadonlyMap<string, string> = new Map()): JsonRow[] {
  const columns = columnsOf(df);
  const own = new Map(source.columns.map((field) => [field.name, field]));
  const named = new Map<string, { readonly values: readonly unknown[]; readonly from: string }>();
  const mistakes: ErrorDetail[] = [];
  for (const [from, values] of columns) {
    const name = nameOf(from, { names, own, source, columns });
    if (name === undefined) continue;
    const other = named.get(name);
    if (other !== undefined) {
      const message = `is column "${name}" of source "${source.name}", and so is ${pathOf(other.from)}`;
      noteMistake(mistakes, () => ({ path: pathOf(from), message }));
    }
    named.set(name, { values: own.get(name)?.type.kind === 'timestamp' ? values.map(inIso) : values, from });
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  const [first] = columns.values();
  const entries = [...named];
  return Array.from({ length: first?.length ?? 0 }, (_, row) =>
    Object.fromEntries(entries.map(([name, { values }]) => [name, values[row]])),
  );
}

interface Naming {
  readonly names: ReadonlyMap<string, string>;
  readonly own: ReadonlyMap<string, Field>;
  readonly source: SourceSpec;
  readonly columns: ReadonlyMap<string, readonly unknown[]>;
}

/** Undefined for a column that the source needs nothing of. */
function nameOf(from: string, { names, own, source, columns }: Naming): string | undefined {
  const given = names.get(from);
  if (given !== undefined || own.has(from)) return given ?? from;
  if (from === EVENT_TIME && !columns.has(source.eventTime)) return source.eventTime;
  return CREATED.has(from) ? undefined : from;
}

function inIso(raw: unknown): unknown {
  const micros = epochSeconds(raw);
  return micros === undefined ? raw : formatTimestamp(micros);
}

/** By lists, or as pandas' `to_dict()` has them, by index. */
function columnsOf(df: unknown): ReadonlyMap<string, readonly unknown[]> {
  if (df === null || typeof df !== 'object' || Array.isArray(df)) {
    const message = `expected an object of columns, such as {"user_id": [1, 2], "${EVENT_TIME}": [ … ]}, got ${describe(df)}`;
    throw invalid([{ path: 'df', message }]);
  }
  const columns = new Map<string, readonly unknown[]>();
  const mistakes: ErrorDetail[] = [];
  let index: readonly string[] | undefined;
  for (const [name, column] of Object.entries(df)) {
    if (Array.isArray(column)) columns.set(name, column);
    else if (column !== null && typeof column === 'object') {
      index ??= Object.keys(column);
      if (!isIndexedBy(column, index))
        noteMistake(mistakes, () => ({ path: pathOf(name), message: 'has other indexes than the columns before it' }));
      columns.set(
        name,
        index.map((at) => (column as JsonRow)[at]),
      );
    } else
      noteMistake(mistakes, () => ({
        path: pathOf(name),
        message: `expected a list of values, got ${describe(column)}`,
      }));
  }
  const [first] = columns;
  for (const [name, { length }] of columns) {
    if (first === undefined || length === first[1].length) continue;
    const message = `expected as many values as ${pathOf(first[0])} has (${first[1].length}), got ${length}`;
    noteMistake(mistakes, () => ({ path: pathOf(name), message }));
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  return columns;
}

function isIndexedBy(column: object, index: readonly string[]): boolean {
  return Object.keys(column).length === index.length && index.every((at) => Object.hasOwn(column, at));
}

const pathOf = (name: string): string => `df.${name.slice(0, 100)}`;

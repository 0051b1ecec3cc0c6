// The entities of a request as Feast's clients send them, a list of values by column, as rows: read column by column into
// the types that a service asks for, by parsers compiled once.

import { describe, type ErrorDetail, type Field, INVALID, invalid, noteMistake, type Value } from '../../core/index.ts';
import { type ColumnParser, compileColumnParser, describeWrong } from '../row-parser.ts';
import { type SentRows, sentRows } from '../sent-rows.ts';
import { inFeastsName } from './feast-errors.ts';
import { withEpochSeconds } from './feast-time.ts';

type Columns = ReadonlyMap<string, readonly unknown[]>;

/** A column that no feature asks for is left out, as Feast's server does. Throws HR_INVALID where they are no columns of one length. */
export function entityRows(entities: unknown): SentRows {
  const columns = columnsOf(entities);
  const [first = []] = columns.values();
  return sentRows({ count: first.length, parser: (fields) => parserOf(columns, fields) });
}

function columnsOf(entities: unknown): Columns {
  if (entities === null || typeof entities !== 'object' || Array.isArray(entities)) {
    const message = `expected an object of columns, such as {"user_id": [1, 2]}, got ${describe(entities)}`;
    throw invalid([{ path: 'entities', message }]);
  }
  const columns = new Map<string, readonly unknown[]>();
  const mistakes: ErrorDetail[] = [];
  for (const [name, values] of Object.entries(entities)) {
    if (Array.isArray(values)) columns.set(name, values);
    else
      noteMistake(mistakes, () => ({
        path: pathOf(name),
        message: `expected a list of values, got ${describe(values)}`,
      }));
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  const [first, ...others] = columns;
  if (first === undefined) throw invalid([{ path: 'entities', message: 'expected at least one column, got none' }]);
  const [firstName, { length }] = first;
  const other = others.find(([, values]) => values.length !== length);
  if (other === undefined) return columns;
  const [name, values] = other;
  const message = `expected as many values as ${pathOf(firstName)} has (${length}), got ${values.length}`;
  throw invalid([{ path: pathOf(name), message }]);
}

interface CompiledColumn {
  readonly field: Field;
  readonly parse: ColumnParser;
}

/** Of a service's request columns, which are the same list at each of its requests. */
const compiled = new WeakMap<readonly Field[], readonly CompiledColumn[]>();

function compiledOf(fields: readonly Field[]): readonly CompiledColumn[] {
  let own = compiled.get(fields);
  if (own === undefined) {
    own = fields.map((field) => ({ field, parse: withEpochSeconds(field.type, compileColumnParser(field)) }));
    compiled.set(fields, own);
  }
  return own;
}

function parserOf(
  columns: Columns,
  fields: readonly Field[],
): (place: number, mistakes: ErrorDetail[]) => readonly Value[] {
  const own = compiledOf(fields);
  const given = own.map(({ field, parse }) => columns.get(field.name) ?? (parse(undefined) === INVALID ? null : []));
  const lacking = own.filter((_, at) => given[at] === null);
  if (lacking.length > 0) throw lacks(lacking.map(({ field }) => field));
  const size = own.length;
  return (place, mistakes) => {
    const row = new Array<Value>(size);
    for (let at = 0; at < size; at++) {
      const raw = (given[at] as readonly unknown[])[place];
      const { field, parse } = own[at] as CompiledColumn;
      const value = parse(raw);
      if (value === INVALID) {
        const message = describeWrong(field.type, raw, true);
        noteMistake(mistakes, () => ({ path: `${pathOf(field.name)}[${place}]`, message }));
        row[at] = null;
      } else row[at] = value;
    }
    return row;
  };
}

function lacks(fields: readonly Field[]): Error {
  const mistakes = fields.map((field) => ({
    path: pathOf(field.name),
    message: describeWrong(field.type, undefined, false),
  }));
  return inFeastsName('RequestDataNotFoundInEntityRowsException', invalid(mistakes));
}

const pathOf = (name: string): string => `entities.${name.slice(0, 100)}`;

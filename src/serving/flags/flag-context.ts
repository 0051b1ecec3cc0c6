// What a flag's caller says of its unit, as the row that a request would carry: columns by name, the unit as `targetingKey`, too.

import { type ErrorDetail, type Field, parseJson, type Value } from '../../core/index.ts';
import { mayLack } from '../../definitions/index.ts';
import { compileRowParser, type RowParser } from '../row-parser.ts';

export type FlagContext = Readonly<Record<string, unknown>>;

/** A row of the columns, and what stands for the request's id; or why there is none. */
export type ReadContext =
  | { readonly row: readonly Value[]; readonly requestId: string; readonly fault?: undefined }
  | { readonly fault: ContextFault };

export interface ContextFault {
  readonly errorCode: 'TARGETING_KEY_MISSING' | 'INVALID_CONTEXT';
  readonly errorDetails: string;
}

/**
 * `columns`: all that decides; `unit`: those of the unit, none where an endpoint hashes the request's id. A column that is not
 * in the context is its default or null, but not one of the unit that requests must carry.
 */
export function compileContext(
  columns: readonly Field[],
  unit: readonly string[],
): (context: FlagContext) => ReadContext {
  const parsers = columns.map((column): RowParser => compileRowParser([{ ...column, isOptional: true }], 'context'));
  const typeOf = new Map(columns.map(({ name, type }) => [name, type.kind]));
  const required = columns.filter((column) => unit.includes(column.name) && !mayLack(column));

  return (context) => {
    const { targetingKey } = context;
    if (targetingKey !== undefined && targetingKey !== null && typeof targetingKey !== 'string')
      return invalidContext('targetingKey: expected text');
    const key = targetingKey ?? '';
    const keyed = key === '' ? new Map<string, unknown>() : unitOfKey(key, unit, typeOf);
    if (keyed === undefined)
      return invalidContext(`targetingKey: expected the JSON array’s text of ${unit.join(', ')}, such as ["a",7]`);
    const rawOf = (name: string): unknown => (Object.hasOwn(context, name) ? context[name] : keyed.get(name));
    const absent = required.filter(({ name }) => rawOf(name) === undefined || rawOf(name) === null);
    if (absent.length > 0) return missing(absent.map(({ name }) => name).join(', '));
    const ownId = rawOf('request_id');
    const requestId = unit.length > 0 ? '' : typeof ownId === 'string' ? ownId : key;
    if (unit.length === 0 && requestId === '') return missing('request_id');
    const mistakes: ErrorDetail[] = [];
    const row = columns.map(({ name }, at) => {
      const raw = rawOf(name);
      return (parsers[at] as RowParser)(raw === undefined ? {} : { [name]: raw }, 0, mistakes)[0] ?? null;
    });
    if (mistakes.length === 0) return { row, requestId };
    return invalidContext(
      mistakes.map(({ path, message }) => `${path.replace('context[0].', 'context.')}: ${message}`).join('; '),
    );
  };
}

/** Types whose values JSON has as text. */
const TEXTS: ReadonlySet<string | undefined> = new Set(['string', 'timestamp', 'bytes']);

/** The unit's columns by a targeting key; undefined where several are needed and it is not theirs. */
function unitOfKey(
  key: string,
  unit: readonly string[],
  typeOf: ReadonlyMap<string, string>,
): ReadonlyMap<string, unknown> | undefined {
  const [column] = unit;
  if (column === undefined) return new Map();
  if (unit.length === 1) return new Map([[column, TEXTS.has(typeOf.get(column)) ? key : (readJson(key) ?? key)]]);
  const values = readJson(key);
  if (!Array.isArray(values) || values.length !== unit.length) return undefined;
  return new Map(unit.map((name, at) => [name, values[at]]));
}

function readJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function invalidContext(errorDetails: string): ReadContext {
  return { fault: { errorCode: 'INVALID_CONTEXT', errorDetails } };
}

function missing(columns: string): ReadContext {
  const errorDetails = `the context has no unit: give targetingKey, or ${columns} by name.`;
  return { fault: { errorCode: 'TARGETING_KEY_MISSING', errorDetails } };
}

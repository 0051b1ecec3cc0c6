// Request rows → values, by closures made once per service: no schema look-up per request.

import {
  type DataType,
  describe,
  describeMistake,
  type ErrorDetail,
  type Field,
  INVALID,
  parseSent,
  parseTimestamp,
  parseValue,
  reportUnknownMembers,
  type Value,
} from '../core/index.ts';

/** A request row's values, in the order of the service's request columns. */
export type RequestRow = readonly Value[];

/**
 * Reads one JSON row; mistakes go to `mistakes` under `<path>[index]`. An absent column is null, a member of another name
 * is left out; both in one row are a mistake.
 */
export type RowParser = (json: unknown, index: number, mistakes: ErrorDetail[]) => RequestRow;

type ParseOne = (raw: unknown) => Value | typeof INVALID;

export function compileRowParser(columns: readonly Field[], path: string): RowParser {
  const names = columns.map((column) => column.name);
  const parsers = columns.map((column) => compileValueParser(column.type));
  const size = columns.length;
  return (json, index, mistakes) => {
    const row: Value[] = new Array<Value>(size);
    if (json === null || typeof json !== 'object' || Array.isArray(json)) {
      mistakes.push({ path: `${path}[${index}]`, message: `expected an object, got ${describe(json)}` });
      return row;
    }
    let isAbsent = false;
    for (let i = 0; i < size; i++) {
      const name = names[i] as string;
      // A name such as `constructor` is found on the prototype too; JSON objects have their members on themselves.
      let raw: unknown = null;
      if (Object.hasOwn(json, name)) raw = (json as Record<string, unknown>)[name];
      else isAbsent = true;
      const value = (parsers[i] as ParseOne)(raw);
      if (value === INVALID) {
        const message = describeMistake((columns[i] as Field).type, raw);
        mistakes.push({ path: `${path}[${index}].${name}`, message });
        row[i] = null;
      } else {
        row[i] = value;
      }
    }
    if (isAbsent) reportUnknownMembers(json, names, `${path}[${index}]`, mistakes);
    return row;
  };
}

function compileValueParser(type: DataType): ParseOne {
  switch (type.kind) {
    case 'string':
      return (raw) => (typeof raw === 'string' ? raw : parseValue(type, raw));
    case 'float64':
      return (raw) => (typeof raw === 'number' ? raw : parseValue(type, raw));
    case 'float32':
      return (raw) => (typeof raw === 'number' ? Math.fround(raw) : parseValue(type, raw));
    case 'timestamp':
      return (raw) => (typeof raw === 'string' ? (parseTimestamp(raw) ?? INVALID) : parseValue(type, raw));
    default:
      return (raw) => parseSent(type, raw);
  }
}

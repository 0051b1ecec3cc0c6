// Conditions on a request's columns: an SDK that has the request's JSON as its attributes gets the same answer.

import {
  compileCondition,
  type Condition,
  type DataType,
  type Field,
  readPath,
  toJson,
  type Value,
} from '../core/index.ts';
import { sentFloat32 } from './sent-number.ts';
import { placeOf } from './unit-text.ts';

export type RowCondition = (row: readonly Value[]) => boolean;

/** Throws HR_INVALID for an attribute that is no column. */
export function compileRowCondition(condition: Condition, columns: readonly Field[]): RowCondition {
  return compileCondition(condition, (path) => {
    const [name = '', ...rest] = path.split('.');
    const place = placeOf(name, columns);
    const attribute = compileAttribute((columns[place] as Field).type);
    if (rest.length === 0) return (row: readonly Value[]) => attribute(row[place] ?? null);
    return (row: readonly Value[]) => readPath(attribute(row[place] ?? null), rest);
  });
}

/** As the request has it in JSON; a whole number past what doubles hold is its digits. */
function compileAttribute(type: DataType): (value: Value) => unknown {
  switch (type.kind) {
    case 'string':
    case 'bool':
    case 'int32':
    case 'float64':
      return (value) => value;
    case 'float32':
      return (value) => (typeof value === 'number' ? sentFloat32(value) : value);
    case 'int64':
      return (value) => (typeof value === 'bigint' ? numberOf(value) : value);
    default:
      return (value) => (value === null ? null : withoutBigints(toJson(type, value)));
  }
}

function withoutBigints(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(withoutBigints);
  return typeof json === 'bigint' ? numberOf(json) : json;
}

function numberOf(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

// Values in the JSON of Feast's server. Its clients tell types by how a value is written: a float has its point even where it
// is whole (`isPointed`), and a time is in whole seconds since 1970.

import {
  type DataType,
  type Json,
  type Micros,
  secondsOfTime,
  stringifyJson,
  toJson,
  type Value,
} from '../../core/index.ts';
import { JsonBytes } from '../json-bytes.ts';

/** From here on a whole double is written with an exponent, which no int has. */
const LEAST_WITH_EXPONENT = 1e21;
const POINT_ZERO = Buffer.from('.0');

export class FeastBytes extends JsonBytes {
  /** Whether a whole number gets a point: set while floats are written. */
  isPointed = false;

  override number(value: number): void {
    super.number(value);
    if (this.isPointed && needsPoint(value)) this.raw(POINT_ZERO);
  }

  override timestamp(value: Micros): void {
    this.number(secondsOf(value));
  }

  override value(type: DataType, value: Value): void {
    if (value !== null && (type.kind === 'list' || type.kind === 'vector')) this.escapedJson(textOf(type, value));
    else super.value(type, value);
  }

  /** RFC 3339, for when a record happened. */
  time(value: Micros): void {
    super.timestamp(value);
  }
}

/** Of a float: whether its text looks like an int's. */
function needsPoint(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < LEAST_WITH_EXPONENT;
}

function secondsOf(micros: Micros): number {
  return secondsOfTime(micros).seconds;
}

function textOf(type: DataType, value: Value): string {
  if (value === null) return 'null';
  switch (type.kind) {
    case 'list':
      // A list's value is an array.
      return `[${(value as readonly Value[]).map((item) => textOf(type.of, item)).join(',')}]`;
    case 'vector':
      // So is a vector's JSON.
      return `[${(toJson(type, value) as readonly Json[]).map(floatText).join(',')}]`;
    case 'float32':
    case 'float64':
      return floatText(toJson(type, value) as Json);
    case 'timestamp':
      return String(secondsOf(value as Micros));
    default:
      return stringifyJson(toJson(type, value));
  }
}

/** What is no finite number is text in JSON already. */
function floatText(value: Json): string {
  return typeof value === 'number' && needsPoint(value) ? `${value}.0` : stringifyJson(value);
}

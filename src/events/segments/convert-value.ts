// Values of a column whose type was changed after they were pushed. Nothing can be asked about them any more, so what does
// not say the same in the new type is null.

import { type DataType, formatTimestamp, INVALID, parseValue, toJson, type Value } from '../../core/index.ts';

type Convert = (value: Value) => Value;

/**
 * A number, a bool or a time becomes its text, and such a text the number; an integer a float, rounded as in files; a float
 * without a fraction an integer; a list goes item by item. Else what their JSON has in common, or null.
 */
export function converterOf(stored: DataType, wanted: DataType): Convert {
  if (stored.kind === 'list' && wanted.kind === 'list') {
    const item = converterOf(stored.of, wanted.of);
    return (value) => (value === null ? null : (value as readonly Value[]).map(item));
  }
  if (wanted.kind === 'string' && isScalar(stored)) return (value) => (value === null ? null : textOf(stored, value));
  return (value) => {
    const json = stored.kind === 'string' && isNumber(wanted) ? numberIn(wanted, value) : toJson(stored, value);
    const converted = parseValue(wanted, json);
    return converted === INVALID ? null : converted;
  };
}

const isNumber = ({ kind }: DataType): boolean => ['int32', 'int64', 'float32', 'float64'].includes(kind);

const isScalar = (type: DataType): boolean => isNumber(type) || type.kind === 'bool' || type.kind === 'timestamp';

// Of a double the shortest text that is read back as the same.
function textOf(type: DataType, value: Value): string {
  if (type.kind === 'timestamp') return formatTimestamp(value as number); // A timestamp is one.
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The number that a text is the very text of; null for any other. */
function numberIn(type: DataType, text: Value): number | bigint | string | null {
  if (typeof text !== 'string') return null;
  if (type.kind === 'int64') return /^(0|-?[1-9]\d{0,18})$/.test(text) ? BigInt(text) : null;
  const number = Number(text);
  if (textOf(type, number) !== text) return null;
  return Number.isFinite(number) ? number : text;
}

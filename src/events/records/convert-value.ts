// Values of a column whose type was changed after they were pushed. Nothing can be asked about them any more, so what does
// not say the same in the new type is null.

import { type DataType, formatTimestamp, INVALID, parseValue, toJson, type Value } from '../../core/index.ts';

type Convert = (value: Value) => Value;

/**
 * A number, a bool or a time becomes its text, and such a text the number or the time, but no bool; an integer a float,
 * rounded; a float without a fraction the integer that it is; a list goes item by item. Else what their JSON has in common,
 * or null: a number that the new type can't reach, the base64 of bytes, which is no text of theirs.
 */
export function converterOf(stored: DataType, wanted: DataType): Convert {
  if (stored.kind === 'list' && wanted.kind === 'list') {
    const item = converterOf(stored.of, wanted.of);
    return (value) => (value === null ? null : (value as readonly Value[]).map(item)); // A list is one.
  }
  if ((stored.kind === 'bytes') !== (wanted.kind === 'bytes')) return () => null;
  if (wanted.kind === 'string' && isScalar(stored)) return (value) => (value === null ? null : textOf(stored, value));
  return (value) => {
    const json = jsonFor(stored, wanted, value);
    const converted = parseValue(wanted, json);
    return converted === INVALID ? null : converted;
  };
}

function jsonFor(stored: DataType, wanted: DataType, value: Value): unknown {
  if (stored.kind === 'string' && isNumber(wanted)) return numberIn(wanted, value);
  if (isFloat(stored) && Number.isInteger(value)) {
    const whole = value as number; // Number.isInteger says so.
    if (wanted.kind === 'int64') return BigInt(whole);
    // Integers have one zero.
    if (wanted.kind === 'int32') return whole + 0;
  }
  return toJson(stored, value);
}

const isNumber = ({ kind }: DataType): boolean => ['int32', 'int64', 'float32', 'float64'].includes(kind);

const isFloat = ({ kind }: DataType): boolean => kind === 'float32' || kind === 'float64';

const isScalar = (type: DataType): boolean => isNumber(type) || type.kind === 'bool' || type.kind === 'timestamp';

// Of a float the shortest text that is read back as the same.
function textOf(type: DataType, value: Value): string {
  if (type.kind === 'timestamp') return formatTimestamp(value as number); // A timestamp is one.
  if (Object.is(value, -0)) return '-0';
  return type.kind === 'float32' ? shortFloat(value as number) : String(value);
}

function shortFloat(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(value);
}

/** The number that a text is the very text of; null for any other. */
function numberIn(type: DataType, text: Value): number | bigint | string | null {
  if (typeof text !== 'string') return null;
  if (type.kind === 'int64') return /^(0|-?[1-9]\d{0,18})$/.test(text) ? BigInt(text) : null;
  const number = Number(text);
  if (textOf(type, number) !== text) return null;
  return Number.isFinite(number) ? number : text;
}

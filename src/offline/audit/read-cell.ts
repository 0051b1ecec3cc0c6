// A cell of a file as a value of its declared type, by rules of the audit's own: a text is read as strictly as a push is, and
// nothing becomes another value. The casts of a training set say the same in SQL (sources/sql-text.ts); neither knows the other.

import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBUUIDValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import { type DataType, INVALID, parseSent, timeOfMicros, toFloat32, type Value } from '../../core/index.ts';

/** Whether a time that no value can be (an infinity, the year 20000) is null, as of a row that matches nothing, or refused. */
export type FarTimes = 'null' | 'refused';

/**
 * `raw` as DuckDB's node API gives it, uncast, of a column of DuckDB's type `from`; of a list in a text, the list of its items' texts.
 * INVALID: no value of the type.
 */
export function readCell(
  type: DataType,
  raw: DuckDBValue,
  from: string,
  farTimes: FarTimes = 'refused',
): Value | typeof INVALID {
  if (raw === null || raw === undefined) return null;
  if (typeof raw === 'string') return readText(type, raw);
  switch (type.kind) {
    case 'bool':
      return typeof raw === 'boolean' ? raw : INVALID;
    case 'int32':
    case 'int64':
      return readWhole(type, raw, from.startsWith('FLOAT') ? 24 : 53);
    case 'float64':
      return readFloat(raw);
    case 'float32': {
      const float = readFloat(raw);
      return float === INVALID ? INVALID : toFloat32(float);
    }
    case 'string':
      if (raw instanceof DuckDBBlobValue) return decode(raw.bytes);
      return raw instanceof DuckDBUUIDValue ? raw.toString() : INVALID;
    case 'bytes':
      return raw instanceof DuckDBBlobValue ? new Uint8Array(raw.bytes) : INVALID;
    case 'timestamp':
      return readTime(raw, farTimes);
    case 'list': {
      const items = itemsOf(raw)?.map((item) => readCell(type.of, item, from));
      return items === undefined || items.includes(INVALID) ? INVALID : (items as Value[]);
    }
    case 'vector': {
      const items = itemsOf(raw)?.map((item) => readCell({ kind: 'float32' }, item, from));
      if (items?.length !== type.size || items.includes(INVALID) || items.includes(null)) return INVALID;
      return Float32Array.from(items as number[]);
    }
  }
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const WHOLE = /^[+-]?\d+$/;
const FRACTION = /^[^eE]*\.\d*[1-9]\d*$/;

/** The forms of a number are a push's and those that programs write into CSV: a sign before it, a point at its end. */
function readText(type: DataType, text: string): Value | typeof INVALID {
  switch (type.kind) {
    case 'bool':
      return parseSent(type, ({ true: true, false: false } as Record<string, boolean>)[text.toLowerCase()] ?? text);
    case 'int32':
    case 'int64':
      if (WHOLE.test(text)) return readWhole(type, BigInt(text.replace('+', '')));
      // A fraction that a double would lose is one.
      return NUMBER.test(text) && !FRACTION.test(text) ? readWhole(type, Number(text)) : INVALID;
    case 'float32':
    case 'float64':
      return parseSent(type, NUMBER.test(text) ? Number(text) : text);
    default:
      return parseSent(type, text);
  }
}

/** A float past 2^`digits` may be a neighbour of the number that was meant. */
function readWhole({ kind }: DataType, raw: DuckDBValue, digits = 53): number | bigint | typeof INVALID {
  const whole = wholeOf(raw, digits);
  if (whole === undefined) return INVALID;
  const bits = kind === 'int32' ? 32 : 64;
  if (BigInt.asIntN(bits, whole) !== whole) return INVALID;
  return kind === 'int32' ? Number(whole) : whole;
}

function wholeOf(raw: DuckDBValue, digits: number): bigint | undefined {
  if (typeof raw === 'bigint') return raw;
  if (typeof raw === 'number') return Number.isInteger(raw) && Math.abs(raw) < 2 ** digits ? BigInt(raw) : undefined;
  if (!(raw instanceof DuckDBDecimalValue)) return undefined;
  const unit = 10n ** BigInt(raw.scale);
  return raw.value % unit === 0n ? raw.value / unit : undefined;
}

function readFloat(raw: DuckDBValue): number | typeof INVALID {
  if (typeof raw === 'number') return raw;
  if (typeof raw === 'bigint') return Number(raw);
  return raw instanceof DuckDBDecimalValue ? Number(raw.toString()) : INVALID;
}

const MICROS_PER_DAY = 86_400_000_000n;

function readTime(raw: DuckDBValue, farTimes: FarTimes): number | null | typeof INVALID {
  const micros = microsOf(raw);
  if (micros === undefined) return INVALID;
  return (isInfinite(raw) ? undefined : timeOfMicros(micros)) ?? (farTimes === 'null' ? null : INVALID);
}

/** Nanoseconds are cut towards the past. */
function microsOf(raw: DuckDBValue): bigint | undefined {
  if (raw instanceof DuckDBTimestampValue || raw instanceof DuckDBTimestampTZValue) return raw.micros;
  if (raw instanceof DuckDBTimestampSecondsValue) return raw.seconds * 1_000_000n;
  if (raw instanceof DuckDBTimestampMillisecondsValue) return raw.millis * 1000n;
  if (raw instanceof DuckDBDateValue) return BigInt(raw.days) * MICROS_PER_DAY;
  if (!(raw instanceof DuckDBTimestampNanosecondsValue)) return undefined;
  return (raw.nanos - (((raw.nanos % 1000n) + 1000n) % 1000n)) / 1000n;
}

// They are numbers like others: of days and nanoseconds, within the years that a timestamp has.
function isInfinite(raw: DuckDBValue): boolean {
  if (raw instanceof DuckDBDateValue) return Math.abs(raw.days) === 2 ** 31 - 1;
  return raw instanceof DuckDBTimestampNanosecondsValue && (raw.nanos < 0n ? -raw.nanos : raw.nanos) === 2n ** 63n - 1n;
}

function itemsOf(raw: DuckDBValue): readonly DuckDBValue[] | undefined {
  return raw instanceof DuckDBListValue || raw instanceof DuckDBArrayValue ? raw.items : undefined;
}

function decode(bytes: Uint8Array): string | typeof INVALID {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return INVALID;
  }
}

// Values of messages as JSON has them in a push: times as text, bytes in base64, floats that are no numbers by name.

import { type DataType, formatTimestamp, timeOfMicros } from '../../core/index.ts';

export type TimeUnit = 's' | 'ms' | 'us' | 'ns';

const PER_UNIT: Readonly<Record<TimeUnit, number>> = { s: 1e6, ms: 1e3, us: 1, ns: 1e-3 };

/** A number of units since 1970 as RFC 3339 text; what is no time from year 1 to 9999 stays, and is refused where the row is checked. */
export function timeText(value: unknown, unit: TimeUnit): unknown {
  const micros = microsOf(value, unit);
  const time = micros === undefined ? undefined : timeOfMicros(micros);
  return time === undefined ? value : formatTimestamp(time);
}

/** Whole microseconds since 1970. */
function microsOf(value: unknown, unit: TimeUnit): bigint | undefined {
  // A double tells a whole number of seconds of the year 9999, and not its microseconds.
  const isWhole = typeof value === 'number' && Number.isSafeInteger(value);
  const whole = isWhole && unit !== 'ns' ? BigInt(value) : value;
  if (typeof whole === 'bigint') {
    if (unit !== 'ns') return whole * BigInt(PER_UNIT[unit]);
    // Cut towards the past, as of files: division cuts towards 1970.
    return (whole - (((whole % 1000n) + 1000n) % 1000n)) / 1000n;
  }
  if (typeof whole !== 'number') return undefined;
  const micros = Math.round(whole * PER_UNIT[unit]);
  return Number.isSafeInteger(micros) ? BigInt(micros) : undefined;
}

/** A value of a binary format for a column of that type. */
export function jsonOf(value: unknown, type: DataType, unit: TimeUnit | undefined): unknown {
  if (value === null || value === undefined) return null;
  if (type.kind === 'timestamp') return unit === undefined ? value : timeText(value, unit);
  if (typeof value === 'bigint') return type.kind === 'int64' ? value : numberOf(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof Uint8Array) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return type.kind === 'bytes' ? bytes.toString('base64') : { bytes: bytes.length };
  }
  if (type.kind === 'list' && Array.isArray(value)) return value.map((item) => jsonOf(item, type.of, unit));
  if (type.kind === 'vector' && Array.isArray(value))
    return value.map((item) => jsonOf(item, { kind: 'float64' }, unit));
  return value;
}

// One that a double can't say stays as it is, and is refused where a smaller type is declared.
function numberOf(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

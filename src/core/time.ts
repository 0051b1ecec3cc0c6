// Time is whole microseconds since 1970 UTC in a JavaScript number, exact until 2255 (2^53 µs). A timestamp that is only a value is exact
// from the year 1 to the year 9999: see `timeOfMicros`.
// Nothing passes through Date but what a user's transform sees.

/** Microseconds since 1970-01-01T00:00:00Z: a safe integer. */
export type Micros = number;

export const MICROS_PER_SECOND = 1_000_000;
export const MICROS_PER_MINUTE = 60 * MICROS_PER_SECOND;
export const MICROS_PER_HOUR = 60 * MICROS_PER_MINUTE;
export const MICROS_PER_DAY = 24 * MICROS_PER_HOUR;

/** Gives the time; passed in wherever time is read, so that tests own it. */
export interface Clock {
  nowMicros(): Micros;
}

/** How far a long process's steady clock may come off the wall clock (a suspended machine, a clock set anew). */
const GREATEST_DRIFT_MS = 1000;

/** Microseconds of a steady clock, set by the wall clock's milliseconds at the start and whenever the two come apart. */
export function wallClock(wallMs: () => number, steadyMs: () => number): Clock {
  let offsetMs = wallMs() - steadyMs();
  return {
    nowMicros() {
      const [wall, steady] = [wallMs(), steadyMs()];
      if (Math.abs(steady + offsetMs - wall) > GREATEST_DRIFT_MS) offsetMs = wall - steady;
      return Math.floor((steady + offsetMs) * 1000);
    },
  };
}

export const systemClock: Clock = wallClock(Date.now, () => performance.now());

/** A clock that stands still, for `--at` and for tests. */
export function fixedClock(at: Micros): Clock {
  return { nowMicros: () => at };
}

/** The greatest multiple of `step` that is not after `at`; right for times before 1970 too. */
export function floorTo(at: Micros, step: Micros): Micros {
  return Math.floor(at / step) * step;
}

/** The first and the last time that a value can be: those that RFC 3339 can say. */
export const FIRST_TIME = '0001-01-01T00:00:00Z';
export const LAST_TIME = '9999-12-31T23:59:59.999999Z';
const FIRST_MICROS = -62_135_596_800_000_000n;
const LAST_MICROS = 253_402_300_799_999_999n;

const MOST_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
/** Far times are the doubles from here on, one after the other; below them lie doubles that a store may have of an older build. */
const FIRST_FAR = 60n;
const MANTISSA = 52n;

/**
 * The number that a timestamp is as a value: its microseconds, where a double tells each from the next; further off, up to
 * 0001-01-01 and 9999-12-31T23:59:59.999999, the n-th double from ±2^60 on for the n-th microsecond past ±2^53. So all values of
 * timestamps are doubles that are ordered as their times are and none is another's, and what stores or compares numbers needs to know
 * nothing of it. Only `Number.isSafeInteger` values are `Micros`, with which one can reckon. Undefined past those years.
 */
export function timeOfMicros(micros: bigint): number | undefined {
  if (micros >= -MOST_SAFE && micros <= MOST_SAFE) return Number(micros);
  if (micros < FIRST_MICROS || micros > LAST_MICROS) return undefined;
  const past = (micros < 0n ? -micros : micros) - MOST_SAFE - 1n;
  const exponent = FIRST_FAR - MANTISSA + (past >> MANTISSA);
  const far = Number((1n << MANTISSA) + BigInt.asUintN(Number(MANTISSA), past)) * 2 ** Number(exponent);
  return micros < 0n ? -far : far;
}

/** The microseconds of a timestamp's value: the inverse of `timeOfMicros`. */
export function microsOfTime(time: number): bigint {
  if (Number.isSafeInteger(time)) return BigInt(time);
  const far = Math.abs(time);
  // As an older build kept it: rounded to some microseconds.
  if (!(far >= 2 ** Number(FIRST_FAR))) return BigInt(time) > LAST_MICROS ? LAST_MICROS : BigInt(time);
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, far);
  const past = view.getBigUint64(0) - ((1023n + FIRST_FAR) << MANTISSA);
  const micros = past + MOST_SAFE + 1n;
  return time < 0 ? -micros : micros;
}

const TIMESTAMP =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?$/;

/**
 * Reads an ISO 8601 / RFC 3339 timestamp to microseconds; without a zone it is UTC; digits past the microsecond are
 * cut. Gives undefined for anything else, an impossible date included, and one that is too far (`isFarTimestamp`).
 */
export function parseTimestamp(text: string): Micros | undefined {
  const micros = readTimestamp(text);
  return Number.isSafeInteger(micros) ? micros : undefined;
}

/** As `parseTimestamp`, of a timestamp that is only a value: from FIRST_TIME to LAST_TIME, as `timeOfMicros` has them. */
export function parseTime(text: string): number | undefined {
  const micros = readPlain(text);
  if (Number.isSafeInteger(micros)) return micros;
  const parts = readParts(text);
  if (parts === undefined) return undefined;
  return timeOfMicros(BigInt(parts.seconds) * BigInt(MICROS_PER_SECOND) + BigInt(parts.fraction));
}

/** Whether the text is a timestamp before FIRST_TIME or after LAST_TIME. */
export function isFarTimestamp(text: string): boolean {
  return parseTime(text) === undefined && readParts(text) !== undefined;
}

function readTimestamp(text: string): number | undefined {
  return readPlain(text) ?? readAny(text);
}

const FRACTION_UNITS = [1_000_000, 100_000, 10_000, 1000, 100, 10, 1];
const DASH = 45;
const [LETTER_T, LETTER_Z] = [84, 90];
const [COLON, POINT] = [58, 46];

// The form that programs write, `YYYY-MM-DDThh:mm:ss[.ffffff]Z`, at a fraction of the general one's cost: a push reads one
// or two a row. Undefined for any other, and where the date's being possible wants a closer look.
function readPlain(text: string): number | undefined {
  const end = text.length - 1;
  if (end < 19 || end > 26 || end === 20 || text.charCodeAt(end) !== LETTER_Z) return undefined;
  if (text.charCodeAt(4) !== DASH || text.charCodeAt(7) !== DASH || text.charCodeAt(10) !== LETTER_T) return undefined;
  if (text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON) return undefined;
  if (end > 19 && text.charCodeAt(19) !== POINT) return undefined;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 7);
  const day = digits(text, 8, 10);
  const hour = digits(text, 11, 13);
  const minute = digits(text, 14, 16);
  const second = digits(text, 17, 19);
  const fraction = end === 19 ? 0 : digits(text, 20, end) * (FRACTION_UNITS[end - 20] as number);
  // Date.UTC takes years below 100 for those of the last century.
  if (!(year >= 100 && month >= 1 && month <= 12 && day >= 1 && day <= 28)) return undefined;
  if (!(hour <= 23 && minute <= 59 && second <= 59 && fraction >= 0)) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second) * 1000 + fraction;
}

function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

function readAny(text: string): number | undefined {
  const parts = readParts(text);
  return parts && parts.seconds * MICROS_PER_SECOND + parts.fraction;
}

/** Whole seconds since 1970, and microseconds past them. */
function readParts(text: string): { readonly seconds: number; readonly fraction: number } | undefined {
  const match = TIMESTAMP.exec(text.trim());
  if (match === null) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = match;
  const [y, mo, d, h, mi, s] = [Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second)];
  if (h > 23 || mi > 59 || s > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(y, mo - 1, d);
  if (date.getUTCMonth() !== mo - 1 || date.getUTCDate() !== d) return undefined;
  const seconds = date.getTime() / 1000 + h * 3600 + mi * 60 + s - zoneOffsetSeconds(zone);
  return { seconds, fraction: Number(fraction.slice(0, 6).padEnd(6, '0')) };
}

function zoneOffsetSeconds(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  const digits = zone.slice(1).replace(':', '');
  return sign * (Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2) || '0') * 60);
}

/** RFC 3339 in UTC of a timestamp's value; the fraction is left out when zero, else three or six digits. */
export function formatTimestamp(at: Micros): string {
  const { seconds, fraction } = secondsOfTime(at);
  const base = new Date(seconds * 1000).toISOString().slice(0, -5);
  if (fraction === 0) return `${base}Z`;
  const digits = String(fraction).padStart(6, '0');
  return `${base}.${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`;
}

/** Splits a timestamp's value into whole seconds since 1970 and the microseconds after them. */
export function secondsOfTime(time: number): { readonly seconds: number; readonly fraction: number } {
  if (Number.isSafeInteger(time)) {
    const seconds = Math.floor(time / MICROS_PER_SECOND);
    return { seconds, fraction: time - seconds * MICROS_PER_SECOND };
  }
  const micros = microsOfTime(time);
  const perSecond = BigInt(MICROS_PER_SECOND);
  const fraction = ((micros % perSecond) + perSecond) % perSecond;
  return { seconds: Number((micros - fraction) / perSecond), fraction: Number(fraction) };
}

/** For the error about an event time or a known time that is too far: the first and the last that are not. */
export const TIME_RANGE = `${formatTimestamp(Number.MIN_SAFE_INTEGER)} to ${formatTimestamp(Number.MAX_SAFE_INTEGER)}`;

/** What a user's function sees of a timestamp: a Date, which keeps only milliseconds. */
export function toDate(at: Micros): Date {
  const { seconds, fraction } = secondsOfTime(at);
  return new Date(seconds * 1000 + Math.floor(fraction / 1000));
}

// Numbers and times as JSON bytes, digit by digit: no text is made for those that most features hold. Each gives where
// it ended, and gives −1, having written nothing, for a number that is better left to the engine.

import { MICROS_PER_DAY } from '../core/index.ts';
import { writeShortest } from './shortest-double.ts';

const ZERO = 48;
const [MINUS, POINT, COLON] = [45, 46, 58];
const [LETTER_T, LETTER_Z] = [84, 90];

/** More than any of these writes. */
export const LONGEST_NUMBER = 32;

const INT32_DIGITS = 1_000_000_000;

/** A whole number from 0 up to 2^53. */
export function writeWhole(bytes: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    bytes[at] = ZERO + value;
    return at + 1;
  }
  if (value < INT32_DIGITS) {
    let end = at + digitsOf(value);
    const next = end;
    for (let left = value | 0; end > at; left = (left / 10) | 0) bytes[--end] = ZERO + (left % 10);
    return next;
  }
  const high = Math.floor(value / INT32_DIGITS);
  return writePadded(bytes, writeWhole(bytes, at, high), value - high * INT32_DIGITS, 9);
}

/** `value`, below 10^width and at most nine digits, with zeros before it. */
function writePadded(bytes: Uint8Array, at: number, value: number, width: number): number {
  let left = value | 0;
  for (let to = at + width - 1; to >= at; to--) {
    const rest = (left / 10) | 0;
    bytes[to] = ZERO + left - rest * 10;
    left = rest;
  }
  return at + width;
}

function digitsOf(value: number): number {
  if (value < 100_000) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : value < 10_000 ? 4 : 5;
  return value < 10_000_000 ? (value < 1_000_000 ? 6 : 7) : value < 100_000_000 ? 8 : 9;
}

/** Below it and down to a millionth the engine writes a number without an exponent. */
const MOST_FRACTIONED = 1e9;
const SMALLEST_FRACTIONED = 1e-6;

/**
 * A finite number, as `String` writes it. One with up to six places after the point is their whole number over a power of
 * ten: with at most 15 digits, of which no two are the same double, it is the shortest text that reads as it.
 */
export function writeDouble(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let size = value;
  if (value < 0) {
    bytes[at++] = MINUS;
    size = -value;
  }
  if (Number.isSafeInteger(size)) return writeWhole(bytes, at, size);
  if (!(size < MOST_FRACTIONED && size >= SMALLEST_FRACTIONED)) return writeShortest(bytes, at, size);
  let places = 2;
  let scaled = Math.round(size * 100);
  if (scaled / 100 !== size) {
    places = 6;
    scaled = Math.round(size * 1e6);
    if (scaled / 1e6 !== size) return writeShortest(bytes, at, size);
  }
  const whole = Math.floor(size);
  let fraction = Math.round(scaled - whole * (places === 2 ? 100 : 1e6)) | 0;
  for (; fraction % 10 === 0; places--) fraction = (fraction / 10) | 0;
  at = writeWhole(bytes, at, whole);
  bytes[at++] = POINT;
  return writePadded(bytes, at, fraction, places);
}

/** The years that have four digits. */
const FIRST_DAY = -719_528;
const LAST_DAY = 2_932_896;

/** RFC 3339 in UTC as `formatTimestamp` gives it, without quotes. */
export function writeTime(bytes: Uint8Array, from: number, micros: number): number {
  const days = Math.floor(micros / MICROS_PER_DAY);
  if (!(days >= FIRST_DAY && days <= LAST_DAY)) return -1;
  const ofDay = micros - days * MICROS_PER_DAY;
  const second = Math.floor(ofDay / 1_000_000);
  const fraction = ofDay - second * 1_000_000;
  let at = writeDate(bytes, from, days);
  bytes[at++] = LETTER_T;
  at = writePadded(bytes, at, (second / 3600) | 0, 2);
  bytes[at++] = COLON;
  at = writePadded(bytes, at, ((second / 60) | 0) % 60, 2);
  bytes[at++] = COLON;
  at = writePadded(bytes, at, second % 60, 2);
  if (fraction !== 0) {
    bytes[at++] = POINT;
    at = fraction % 1000 === 0 ? writePadded(bytes, at, fraction / 1000, 3) : writePadded(bytes, at, fraction, 6);
  }
  bytes[at++] = LETTER_Z;
  return at;
}

// Days since 1970 as a date, by eras of 400 years that begin in March:
// https://howardhinnant.github.io/date_algorithms.html#civil_from_days
function writeDate(bytes: Uint8Array, from: number, days: number): number {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const year = ((ofEra - ((ofEra / 1460) | 0) + ((ofEra / 36_524) | 0) - ((ofEra / 146_096) | 0)) / 365) | 0;
  const ofYear = ofEra - (365 * year + ((year / 4) | 0) - ((year / 100) | 0));
  const shiftedMonth = ((5 * ofYear + 2) / 153) | 0;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  let at = writePadded(bytes, from, year + era * 400 + (month <= 2 ? 1 : 0), 4);
  bytes[at++] = MINUS;
  at = writePadded(bytes, at, month, 2);
  bytes[at++] = MINUS;
  return writePadded(bytes, at, ofYear - (((153 * shiftedMonth + 2) / 5) | 0) + 1, 2);
}

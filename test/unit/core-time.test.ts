import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  floorTo,
  formatDuration,
  formatTimestamp,
  parseDuration,
  parseTimestamp,
  toDate,
} from '../../src/core/index.ts';
import { wallClock } from '../../src/core/time.ts';
import { runs } from '../support/tier.ts';

describe('timestamps', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['1970-01-01', 0],
    ['1970-01-01 00:00:01', 1_000_000],
    ['2026-11-24T10:00:00.123456Z', 1_795_514_400_123_456],
    ['2026-11-24T10:00:00.1234567Z', 1_795_514_400_123_456],
    ['2026-11-24T11:30:00+01:30', 1_795_514_400_000_000],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['1970-01-01 23:59:59', 86_399_000_000],
    ['1972-02-29', 68_169_600_000_000],
  ])('reads %s to the microsecond', (text, micros) => {
    expect(parseTimestamp(text)).toBe(micros);
  });

  it.each(['', 'now', '2026-02-30', '2026-13-01', '2026-11-24T25:00:00Z', '2026-11-24T10:61:00Z', '12345'])(
    'refuses %j',
    (text) => {
      expect(parseTimestamp(text)).toBeUndefined();
    },
  );

  it.each([
    '2026-11-24T24:00:00Z',
    '2026-11-24T10:60:00Z',
    '2026-11-24T10:00:60Z',
    '2026-11-24 10:00:60',
    '2026-00-01',
    '2026-01-00',
    '2026-04-31',
    '2025-02-29',
  ])('refuses %j, one past what the calendar and the clock have', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });

  // Of the first form there is a reader of its own.
  it('reads the form with T and Z as it reads the others', () => {
    const year = fc.integer({ min: 0, max: 9999 });
    const twoDigits = fc.integer({ min: 0, max: 99 });
    const near = (least: number, most: number) => fc.oneof(fc.integer({ min: least, max: most }), twoDigits);
    const fraction = fc.option(fc.stringMatching(/^\d{1,9}$/));
    const parts = fc.tuple(year, near(1, 12), near(1, 31), near(0, 23), near(0, 59), near(0, 59), fraction);
    fc.assert(
      fc.property(parts, ([y, mo, d, h, mi, s, f]) => {
        const two = (value: number): string => String(value).padStart(2, '0');
        const [date, time] = [`${String(y).padStart(4, '0')}-${two(mo)}-${two(d)}`, `${two(h)}:${two(mi)}:${two(s)}`];
        const rest = f === null ? '' : `.${f}`;
        expect(parseTimestamp(`${date}T${time}${rest}Z`)).toBe(parseTimestamp(`${date} ${time}${rest}+00:00`));
      }),
      { numRuns: runs(2000) },
    );
  });

  it.each(['2026-11-24T10:00:0xZ', '2026-11-24T10:00:00.Z', '2026-11-24T10:00:00.12x4Z', '2026-11-24t10-00-00Z'])(
    'refuses %j, of nearly that form',
    (text) => {
      expect(parseTimestamp(text)).toBeUndefined();
    },
  );

  // Beyond 2^53 µs a double no longer tells one microsecond from the next.
  it.each([
    ['2255-06-05T23:47:34.740991Z', 2 ** 53 - 1],
    ['2255-06-06T01:47:34.740991+02:00', 2 ** 53 - 1],
    ['1684-07-28T00:12:25.259009Z', -(2 ** 53) + 1],
    ['2255-06-05T23:47:34.740992Z', undefined],
    ['2255-06-05T23:47:34.740991-00:01', undefined],
    ['1684-07-28T00:12:25.259008Z', undefined],
    ['9999-12-31', undefined],
    ['9999-12-31T23:59:59.999999Z', undefined],
    ['0001-01-01', undefined],
    ['1582-10-15', undefined],
  ])('keeps %s only where every microsecond can be told', (text, micros) => {
    expect(parseTimestamp(text)).toBe(micros);
  });

  it('are a whole microsecond each, and come back from their text', () => {
    const at = fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 });
    fc.assert(
      fc.property(at, (micros) => {
        expect(parseTimestamp(formatTimestamp(micros))).toBe(micros);
      }),
    );
  });

  it('writes no fraction, milliseconds or microseconds, as needed', () => {
    expect(formatTimestamp(0)).toBe('1970-01-01T00:00:00Z');
    expect(formatTimestamp(1_500_000)).toBe('1970-01-01T00:00:01.500Z');
    expect(formatTimestamp(-1)).toBe('1969-12-31T23:59:59.999999Z');
  });

  it('shows a user function the millisecond at or before', () => {
    expect(toDate(-1).getTime()).toBe(-1);
    expect(toDate(1_999).getTime()).toBe(1);
  });

  it('floors towards the past before 1970 too', () => {
    expect(floorTo(7, 5)).toBe(5);
    expect(floorTo(-1, 5)).toBe(-5);
    expect(floorTo(10, 5)).toBe(10);
  });
});

describe('durations', () => {
  it.each([
    ['5m', 300_000_000],
    ['7d', 604_800_000_000],
    ['1h30m', 5_400_000_000],
    ['250ms', 250_000],
    ['0s', 0],
  ])('reads %s', (text, micros) => {
    expect(parseDuration(text)).toBe(micros);
  });

  it.each(['', '7', 'd', '7 d', '-1h', '1.5h', '7days', '9999999999999w'])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('writes the shortest exact form', () => {
    expect(formatDuration(5_400_000_000)).toBe('1h30m');
    expect(formatDuration(0)).toBe('0s');
  });
});

describe('the system’s clock', () => {
  it('counts microseconds steadily, and follows the wall clock when that is set or the machine was suspended', () => {
    let [wall, steady] = [1_790_000_000_000, 5.5];
    const clock = wallClock(
      () => wall,
      () => steady,
    );
    const readAfter = (wallMs: number, steadyMs: number): number => {
      wall += wallMs;
      steady += steadyMs;
      return clock.nowMicros() - 1_790_000_000_000_000;
    };
    expect(readAfter(0, 0.25)).toBe(250);
    expect(readAfter(1, 0.5)).toBe(750);
    expect(readAfter(3_600_000, 10)).toBe(3_600_001_000);
    expect(readAfter(-7_200_000, 10)).toBe(-3_599_999_000);
  });
});

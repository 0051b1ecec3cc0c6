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

describe('timestamps', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['1970-01-01', 0],
    ['1970-01-01 00:00:01', 1_000_000],
    ['2026-11-24T10:00:00.123456Z', 1_795_514_400_123_456],
    ['2026-11-24T10:00:00.1234567Z', 1_795_514_400_123_456],
    ['2026-11-24T11:30:00+01:30', 1_795_514_400_000_000],
    ['1969-12-31T23:59:59.999999Z', -1],
  ])('reads %s to the microsecond', (text, micros) => {
    expect(parseTimestamp(text)).toBe(micros);
  });

  it.each(['', 'now', '2026-02-30', '2026-13-01', '2026-11-24T25:00:00Z', '2026-11-24T10:61:00Z', '12345'])(
    'refuses %j',
    (text) => {
      expect(parseTimestamp(text)).toBeUndefined();
    },
  );

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

// When a schedule is due: nights on which clocks change, and what becomes of ticks that nobody was there for.

import { describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR, parseTimestamp } from '../../src/core/index.ts';
import { dueTicks, lastTick, ticksBetween } from '../../src/orchestrator/schedule/ticks.ts';

const at = (text: string): number => parseTimestamp(text) ?? NaN;
const shown = (micros: number): string => new Date(micros / 1000).toISOString().slice(0, 16);
const ticks = (cron: string, timezone: string, from: string, to: string): string[] =>
  [...ticksBetween({ cron, timezone }, at(from), at(to))].map(shown);

describe('a schedule', () => {
  it('is due by the clocks of its zone, after the beginning and at the end', () => {
    expect(ticks('0 3 * * *', 'UTC', '2026-01-01T03:00:00Z', '2026-01-03T03:00:00Z')).toEqual([
      '2026-01-02T03:00',
      '2026-01-03T03:00',
    ]);
    expect(ticks('0 3 * * *', 'Asia/Kolkata', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z')).toEqual([
      '2026-01-01T21:30',
    ]);
    expect(ticks('0 0 30 2 *', 'UTC', '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z')).toEqual([]);
  });

  // What a clock on the wall says on any such night is in test/property/orchestrator-ticks.test.ts.
  it.each([
    ['*/30 2 * * *', 'Europe/Berlin', '2026-03-29', 0, ['01:00']],
    ['0 1,2,3 * * *', 'Europe/Berlin', '2026-03-28', 23, ['00:00', '01:00']],
    ['30 * * * *', 'Europe/Berlin', '2026-03-29', 0, ['00:30', '01:30', '02:30', '03:30']],
    ['30 2 * * *', 'America/New_York', '2026-03-08', 5, ['07:00']],
    ['15,45 2 * * *', 'Europe/Berlin', '2026-10-25', 0, ['00:15', '00:45']],
    ['0 1,2,3 * * *', 'Europe/Berlin', '2026-10-24', 23, ['00:00', '02:00']],
    ['30 * * * *', 'America/New_York', '2026-11-01', 4, ['04:30', '05:30', '06:30', '07:30']],
  ])(
    '%s in %s runs once where clocks change, on %s; one of every hour each hour',
    (cron, timezone, day, hour, told) => {
      const from = at(`${day}T00:00:00Z`) + hour * MICROS_PER_HOUR;
      const found = [...ticksBetween({ cron, timezone }, from, from + 4 * MICROS_PER_HOUR)];
      expect(found.map((tick) => shown(tick).slice(11))).toEqual(told);
    },
  );

  it('was due last at any time back', () => {
    const yearly = { cron: '0 0 29 2 *', timezone: 'UTC' };
    expect(lastTick(yearly, at('2020-01-01T00:00:00Z'), at('2027-01-01T00:00:00Z'))).toBe(at('2024-02-29T00:00:00Z'));
    expect(lastTick(yearly, at('2025-01-01T00:00:00Z'), at('2027-01-01T00:00:00Z'))).toBeUndefined();
  });
});

describe('ticks that nobody was there for', () => {
  const daily = { cron: '0 3 * * *', timezone: 'UTC' };
  const from = at('2026-01-01T12:00:00Z');
  const due = (catchUp: 'all' | 'none' | undefined, now: string, limit = 100): string[] =>
    dueTicks(daily, catchUp, { from, now: at(now), limit }).map(shown);

  it('run late: the latest, all, or none', () => {
    expect(due(undefined, '2026-01-05T12:00:00Z')).toEqual(['2026-01-05T03:00']);
    expect(due('all', '2026-01-04T12:00:00Z')).toEqual(['2026-01-02T03:00', '2026-01-03T03:00', '2026-01-04T03:00']);
    expect(due('all', '2026-01-04T12:00:00Z', 2)).toEqual(['2026-01-02T03:00', '2026-01-03T03:00']);
    expect(due('none', '2026-01-05T12:00:00Z')).toEqual([]);
  });

  it('are none where a tick is of the last minute', () => {
    expect(due('none', '2026-01-05T03:00:59Z')).toEqual(['2026-01-05T03:00']);
    expect(due(undefined, '2026-01-05T03:00:59Z')).toEqual(['2026-01-05T03:00']);
    expect(due('none', '2026-01-01T11:00:00Z')).toEqual([]);
  });
});

// Ticks against an oracle that reads every minute off a clock on the wall.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ticksBetween } from '../../src/orchestrator/schedule/ticks.ts';
import { runs } from '../support/tier.ts';

const MINUTE_MS = 60_000;

/** Days around the nights on which clocks change, and one on which they don't; in UTC. */
const DAYS = '2026-03-28 2026-03-29 2026-10-24 2026-10-25 2026-03-08 2026-11-01 2026-11-02 2026-06-10'.split(' ');
const ZONES = ['Europe/Berlin', 'America/New_York', 'UTC', 'Australia/Lord_Howe'];

const formats = new Map(
  ZONES.map((timeZone) => {
    return [timeZone, new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })] as const;
  }),
);
/** What a clock on the wall shows. */
function wallAt(zone: string, ms: number) {
  const [day = '', time = ''] = formats.get(zone)?.format(ms).split(' ') ?? [];
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return { day, hour, minute };
}
type Wall = ReturnType<typeof wallAt>;

const keyOf = ({ day, hour, minute }: Wall): string => `${day} ${hour}:${minute}`;

/** From each minute to the next: the times that the clock shows, those that it jumps over, and whether it showed them before. */
function naive(minutes: readonly number[], hours: readonly number[] | null, zone: string, from: number, to: number) {
  const found: number[] = [];
  const seen = new Set<string>();
  const matches = ({ hour, minute }: Wall): boolean =>
    minutes.includes(minute) && (hours === null || hours.includes(hour));
  let before: Wall | undefined;
  for (let ms = from - 3 * 60 * MINUTE_MS; ms <= to; ms += MINUTE_MS) {
    const wall = wallAt(zone, ms);
    const isAgain = seen.has(keyOf(wall));
    seen.add(keyOf(wall));
    let isDue = matches(wall) && (hours === null || !isAgain);
    // All times between what it showed a minute ago and now, where it jumped forward.
    if (before !== undefined && hours !== null && before.day === wall.day) {
      const now = wall.hour * 60 + wall.minute;
      for (let at = before.hour * 60 + before.minute + 1; at < now; at++)
        isDue ||= matches({ day: wall.day, hour: Math.floor(at / 60), minute: at % 60 });
    }
    before = wall;
    if (isDue && ms > from) found.push(ms);
  }
  return found;
}

const some = (limit: number) => fc.uniqueArray(fc.nat(limit - 1), { minLength: 1, maxLength: 4 });

it('is due as a clock on the wall says, on any night', () => {
  fc.assert(
    fc.property(
      some(60),
      // Mostly the hours around those that change.
      fc.option(fc.oneof(some(24), some(5))),
      fc.constantFrom(...ZONES),
      fc.constantFrom(...DAYS),
      fc.nat(24 * 60),
      fc.integer({ min: 1, max: 36 * 60 }),
      (minutes, hours, timezone, day, skip, length) => {
        const from = Date.parse(`${day}T00:00:00Z`) + skip * MINUTE_MS;
        const to = from + length * MINUTE_MS;
        const cron = `${minutes.join(',')} ${hours === null ? '*' : hours.join(',')} * * *`;
        const ticks = [...ticksBetween({ cron, timezone }, from * 1000, to * 1000)].map((micros) => micros / 1000);
        expect(ticks, `${cron} in ${timezone} from ${day}`).toEqual(naive(minutes, hours, timezone, from, to));
      },
    ),
    { numRuns: runs(300) },
  );
}, 60_000);

it('gives the same ticks whole or in parts', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('*/7 * * * *', '30 2 * * *', '0 1-3 * * *', '@hourly', '15 */2 * * *'),
      fc.constantFrom(...ZONES),
      fc.constantFrom(...DAYS),
      fc.nat(48 * 60),
      (cron, timezone, day, cut) => {
        const from = Date.parse(`${day}T00:00:00Z`) * 1000;
        const [middle, to] = [from + cut * 60e6, from + 48 * 3600e6];
        const schedule = { cron, timezone };
        expect([...ticksBetween(schedule, from, middle), ...ticksBetween(schedule, middle, to)]).toEqual([
          ...ticksBetween(schedule, from, to),
        ]);
      },
    ),
    { numRuns: runs(100) },
  );
}, 60_000);

// The instants at which a schedule is due, in its time zone: cron expressions go by wall clocks, which skip an hour on one night of
// the year and show one twice on another.

import { Cron } from 'croner';
import { type Micros, MICROS_PER_HOUR, MICROS_PER_MINUTE } from '../../core/index.ts';
import type { PipelineSpec } from '../../definitions/index.ts';

export interface Schedule {
  /** A cron expression. */
  readonly cron: string;
  /** An IANA name. */
  readonly timezone: string;
}

/** A tick that is no older than this is no late one, whoever was busy when it came. */
export const PUNCTUAL_MICROS: Micros = MICROS_PER_MINUTE;

/** Of ticks without a run: counting them must not keep a scheduler. */
const MOST_COUNTED = 1000;

/** No zone is further from UTC, and none changes its clocks by more, than a day. */
const DAY_MS = 86_400_000;
/** Clocks are never set by so much. */
const CHANGE_MS = DAY_MS / 8;

/** None for a pipeline that runs by no schedule. */
export function scheduleOf({ schedule, timezone = 'UTC' }: PipelineSpec): Schedule | undefined {
  return schedule === undefined ? undefined : { cron: schedule, timezone };
}

/**
 * The ticks after `from` and up to `to`, in their order; an instant is a tick once. A local time that clocks skip is due at the
 * first instant after the gap, one that they show twice at the first of both. A schedule of every hour means elapsed time: it
 * is due in both of two equal hours, and is owed nothing for one that never was.
 */
export function* ticksBetween(schedule: Schedule, from: Micros, to: Micros): Generator<Micros> {
  const toMs = Math.floor(to / 1000);
  let last = Math.floor(from / 1000);
  for (const tick of ticksFrom(schedule, last)) {
    if (tick > toMs) return;
    if (tick <= last) continue;
    last = tick;
    yield tick * 1000;
  }
}

/** The last tick after `from` and up to `to`. */
export function lastTick(schedule: Schedule, from: Micros, to: Micros): Micros | undefined {
  // A schedule may be due each second: what lies further back is read only where nothing lies nearer.
  for (let spanMicros = MICROS_PER_HOUR; ; spanMicros *= 8) {
    const start = Math.max(from, to - spanMicros);
    let last: Micros | undefined;
    for (const tick of ticksBetween(schedule, start, to)) last = tick;
    if (last !== undefined || start === from) return last;
  }
}

/**
 * Those of the ticks after `from` and up to `now` for which a run is made: punctual ones, and of late ones all, none, or, where
 * there is no punctual one, the latest. At most `limit`, the oldest first.
 */
export function dueTicks(
  schedule: Schedule,
  catchUp: PipelineSpec['catchUp'],
  { from, now, limit }: { readonly from: Micros; readonly now: Micros; readonly limit: number },
): readonly Micros[] {
  const start = catchUp === 'all' ? from : Math.max(from, now - PUNCTUAL_MICROS);
  const due: Micros[] = [];
  for (const tick of ticksBetween(schedule, start, now)) {
    if (due.length === limit) return due;
    due.push(tick);
  }
  if (due.length > 0 || catchUp !== undefined) return due;
  const late = lastTick(schedule, from, now);
  return late === undefined ? [] : [late];
}

/** The ticks after `from` and up to `now` that are none of the due ones, which have a run; of more than 1,000 the first 1,000. */
export function ticksLeftOut(
  schedule: Schedule,
  due: readonly Micros[],
  { from, now }: { readonly from: Micros; readonly now: Micros },
): { readonly count: number; readonly first: Micros } | undefined {
  const made = new Set(due);
  let count = 0;
  let first: Micros | undefined;
  for (const tick of ticksBetween(schedule, from, now)) {
    if (made.has(tick)) continue;
    first ??= tick;
    if (++count === MOST_COUNTED) break;
  }
  return first === undefined ? undefined : { count, first };
}

/** `2026-03-29T03:00:00+02:00`, as clocks of that zone show it. */
export function localTime(timezone: string, at: Micros): string {
  const ms = Math.floor(at / 1000);
  const offsetMinutes = Math.round(openOffsets(timezone)(ms) / 60_000);
  const shown = new Date(ms + offsetMinutes * 60_000).toISOString().slice(0, 19);
  const [hours, minutes] = [Math.floor(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60];
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${shown}${offsetMinutes < 0 ? '-' : '+'}${two(hours)}:${two(minutes)}`;
}

/** In milliseconds, not falling; those before `fromMs`, and one twice, may be among them. */
function* ticksFrom({ cron, timezone }: Schedule, fromMs: number): Generator<number> {
  // The expression is read on a clock that has no such nights, as if its times were of UTC.
  const wall = new Cron(cron, { timezone: 'UTC', paused: true });
  const offsetAt = openOffsets(timezone);
  const isElapsed = isEveryHour(cron);
  /** The second of two equal hours, while the first is gone through. */
  const again: number[] = [];
  // Around a change, times that clocks show before this instant may count after it.
  const offsets = new Set([-CHANGE_MS, 0, CHANGE_MS].map((ms) => offsetAt(fromMs + ms)));
  let at: Date | null = new Date(fromMs + offsetAt(fromMs) - (offsets.size === 1 ? 0 : CHANGE_MS) - 1000);
  for (;;) {
    at = wall.nextRun(at);
    if (at === null) break;
    const { instants, gapEnd } = instantsOf(at.getTime(), offsetAt);
    const [first = gapEnd, second] = instants;
    while (again.length > 0 && (again[0] as number) <= first) yield again.shift() as number;
    if (instants.length > 0 || !isElapsed) yield first;
    if (second !== undefined && isElapsed) again.push(second);
  }
  yield* again;
}

/** When clocks show this time: once, never, or twice; never is in a gap, which ends at an instant. */
function instantsOf(
  wallMs: number,
  offsetAt: (ms: number) => number,
): { readonly instants: readonly number[]; readonly gapEnd: number } {
  const [before, after] = [offsetAt(wallMs - DAY_MS), offsetAt(wallMs + DAY_MS)];
  // The greater offset gives the earlier instant.
  const candidates = [wallMs - Math.max(before, after), wallMs - Math.min(before, after)];
  const instants = [...new Set(candidates)].filter((ms) => ms + offsetAt(ms) === wallMs);
  return { instants, gapEnd: instants.length > 0 ? NaN : gapEnd(candidates, offsetAt) };
}

/** The first instant by the new offset. */
function gapEnd(candidates: readonly number[], offsetAt: (ms: number) => number): number {
  let [low = 0, high = 0] = candidates;
  const earlier = offsetAt(low);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle) === earlier) low = middle;
    else high = middle;
  }
  return high;
}

/** What local clocks are ahead of UTC, in milliseconds. */
function openOffsets(timezone: string): (ms: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (ms) => {
    const of: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(ms)) of[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = of;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
  };
}

/** Whether its hours are `*`. Expressions may begin with seconds, and end with years. */
function isEveryHour(cron: string): boolean {
  const fields = cron.trim().split(/\s+/);
  if (fields.length === 1) return fields[0]?.toLowerCase() === '@hourly';
  return fields[fields.length === 5 ? 1 : 2] === '*';
}

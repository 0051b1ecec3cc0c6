// The time that an LMDB store goes by, on a machine whose wall clock may be set wrongly for a while. What a push is stamped with
// must not lie far ahead of what readers go by later: it would be hidden until then, and hide what was there before. There is no
// second clock to ask, so a wall clock that steps ahead is believed only once it has stayed there.

import { uptime } from 'node:os';
import { type Clock, type Micros, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../core/index.ts';

/** A smaller step is followed at once: readers allow as much. */
const MOST_AHEAD_MICROS = MICROS_PER_MINUTE;
/** How long a clock must stay ahead until it is believed. */
export const BELIEVED_AFTER_MS = 10 * 60_000;

/** Clocks that nobody sets. */
export interface SteadyTimes {
  /** Milliseconds while the machine runs. */
  nowMs(): number;
  /** Seconds since the machine started, those that it was suspended too. */
  upSeconds(): number;
}

const OF_THIS_MACHINE: SteadyTimes = { nowMs: () => performance.now(), upSeconds: uptime };

/**
 * `clock`, but that for the first 10 minutes a step ahead of more than a minute is left out, unless the clock was as far before or
 * the machine was suspended. A step back is followed at once.
 */
export function withoutStepsAhead(clock: Clock, times: SteadyTimes = OF_THIS_MACHINE): Clock {
  /** For how long the machine was suspended since some moment, which steady milliseconds leave out. */
  const suspended = (): Micros => times.upSeconds() * MICROS_PER_SECOND - times.nowMs() * 1000;
  let suspendedBefore = suspended();
  /** By how much the clock was past the steady milliseconds at most, while it was believed. */
  let believed = clock.nowMicros() - times.nowMs() * 1000;
  let aheadSinceMs: number | undefined;

  return {
    nowMicros() {
      const [now, nowMs] = [clock.nowMicros(), times.nowMs()];
      const past = now - nowMs * 1000;
      const ahead = past - believed;
      if (ahead > MOST_AHEAD_MICROS) {
        aheadSinceMs ??= nowMs;
        const isLasting = nowMs - aheadSinceMs >= BELIEVED_AFTER_MS;
        const asleep = suspended();
        if (!isLasting && ahead - (asleep - suspendedBefore) > MOST_AHEAD_MICROS)
          return Math.round(believed + nowMs * 1000);
        suspendedBefore = asleep;
      }
      believed = Math.max(believed, past);
      aheadSinceMs = undefined;
      return now;
    },
  };
}

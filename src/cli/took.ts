// How long something took, for people and in JSON.

import {
  floorTo,
  formatDuration,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
  type Micros,
} from '../core/index.ts';

/** Null where it has not ended, or was never begun. Never less than nothing, though two clocks say when. */
export function tookMicros(from: Micros | null, to: Micros | null): Micros | null {
  return from === null || to === null ? null : Math.max(0, to - from);
}

/** `0.4 s`, `1m30s`, `2h5m`; nothing of what has not ended. */
export function describeTook(micros: Micros | null): string {
  if (micros === null) return '';
  if (micros < MICROS_PER_MINUTE)
    return `${(floorTo(micros, MICROS_PER_SECOND / 10) / MICROS_PER_SECOND).toFixed(1)} s`;
  return formatDuration(floorTo(micros, micros < MICROS_PER_HOUR ? MICROS_PER_SECOND : MICROS_PER_MINUTE));
}

export function secondsOf(micros: Micros | null): number | null {
  return micros === null ? null : micros / MICROS_PER_SECOND;
}

// Durations as users write them: '5m', '12h', '7d', '1h30m'.

import { MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, type Micros } from './time.ts';

const UNIT_MICROS: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1000,
  s: MICROS_PER_SECOND,
  m: MICROS_PER_MINUTE,
  h: MICROS_PER_HOUR,
  d: MICROS_PER_DAY,
  w: 7 * MICROS_PER_DAY,
};

/** Reads `1h30m`, `7d`, `250ms` to microseconds; undefined when it isn't a duration. Zero is one. */
export function parseDuration(text: string): Micros | undefined {
  if (!/^(\d+(us|ms|s|m|h|d|w))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(us|ms|s|m|h|d|w)/g)) {
    total += Number(amount) * (UNIT_MICROS[unit as string] as number);
  }
  return Number.isSafeInteger(total) ? total : undefined;
}

/** The shortest exact way to write a duration: `90m` is `1h30m`. */
export function formatDuration(micros: Micros): string {
  let rest = micros;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms', 'us']) {
    const size = UNIT_MICROS[unit] as number;
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text === '' ? '0s' : text;
}

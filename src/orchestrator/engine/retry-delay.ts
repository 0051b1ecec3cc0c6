// How long a task waits before it is tried again.

import { MICROS_PER_SECOND, type Micros, sha256Hex } from '../../core/index.ts';
import type { RetryDelay } from '../../definitions/index.ts';

const DEFAULT: RetryDelay = {
  delayMicros: MICROS_PER_SECOND,
  factor: 2,
  maxMicros: 60 * MICROS_PER_SECOND,
  jitter: 0.1,
};

/** After so many failures (1 and up). `seed` names the attempt: what is random in it is the same each time it is worked out. */
export function retryDelay(failures: number, seed: string, delay: RetryDelay = DEFAULT): Micros {
  const { delayMicros, factor, maxMicros, jitter } = delay;
  const whole = Math.min(maxMicros, delayMicros * factor ** (failures - 1));
  // 0 to 1, by the first 32 bits.
  const random = Number.parseInt(sha256Hex(seed).slice(0, 8), 16) / 2 ** 32;
  return Math.round(whole * (1 - jitter * random));
}

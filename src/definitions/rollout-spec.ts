// Plans of rollouts as a manifest has them, every default in its place.

import type { Micros } from '../core/index.ts';
import type { About } from './manifest.ts';

export interface RolloutSpec extends About {
  readonly name: string;
  readonly endpoint: string;
  /** Percent, growing; the last is 100. */
  readonly steps: readonly number[];
  readonly holdMicros: Micros;
  readonly warmupMicros: Micros;
  readonly minUnits: number;
  readonly maxHoldMicros: Micros;
  /** As written: `error_rate<0.01`, `error_rate<+20%`. */
  readonly guards: readonly string[];
  readonly onBlind: 'hold' | 'rollback';
  /** 0: predictions count at once. */
  readonly maturityMicros: Micros;
  /** 0: guards end with the promotion. */
  readonly watchMicros: Micros;
  readonly cooldownMicros: Micros;
  readonly bakeMicros: Micros;
}

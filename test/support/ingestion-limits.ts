// What ingestion may take in tests; apart, so that a process made to be killed loads little.

import { MICROS_PER_DAY } from '../../src/core/index.ts';
import type { IngestionLimits } from '../../src/ingestion/index.ts';

export const LIMITS: IngestionLimits = {
  maxRows: 10_000,
  memoryBytes: 256e6,
  maxAheadMicros: MICROS_PER_DAY,
  claimRetentionMs: 86_400_000,
  timeoutMs: 10_000,
};

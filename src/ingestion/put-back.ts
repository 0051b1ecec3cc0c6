// Rows that were set apart and are pushed again.

import type { Micros } from '../core/index.ts';

/** They are not set apart again. */
export interface PutBack {
  /** When each row came first: without a known time of its own it was known then. */
  readonly arrivals: readonly Micros[];
}

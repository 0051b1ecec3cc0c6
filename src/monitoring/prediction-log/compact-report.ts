// What a compaction is given, and what it tells when it is done.

import type { Clock } from '../../core/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import type { KeepRules } from './keep-rules.ts';

export interface CompactOptions {
  readonly directory: string;
  /** Opened only when there is something to do. */
  readonly duckdb: () => Promise<DuckDb>;
  readonly clock: Clock;
  /** Hours that are older are deleted, and outcomes that nothing is left of; all are kept when left out. */
  readonly keep?: KeepRules;
  /** The oldest hours are deleted while the Parquet files are larger together; no limit when left out. */
  readonly maxBytes?: number;
  /** Called between parts of the work; throws to end it. */
  readonly pause?: () => Promise<void>;
}

export interface CompactReport {
  readonly segments: number;
  readonly rows: number;
  readonly files: number;
  /** Places in segments that could not be read, and are in the folder `damaged` now. */
  readonly damaged: number;
  /** Parquet files that were too old, or too much. */
  readonly deleted: number;
}

/** What is counted on the way. */
export type Tally = { -readonly [K in keyof CompactReport]: CompactReport[K] };

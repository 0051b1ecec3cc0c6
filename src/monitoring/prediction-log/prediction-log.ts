// The port of the prediction log: what is logged of a prediction, what of its outcome, and what the writer promises.
// What lies on disk, and how long something may be lost, is told in docs/guides/monitoring.md.

import type { Field, Micros, Value } from '../../core/index.ts';

/** What all records of an arm have in common; its text (canonical JSON) is hashed to the schema's id. */
export interface ArmSchema {
  readonly endpoint: string;
  readonly model: string;
  readonly version: number;
  readonly variant: string;
  /** The arm's id. */
  readonly arm: string;
  readonly requestFields: readonly Field[];
  readonly featureFields: readonly Field[];
  readonly outputFields: readonly Field[];
  /** Names of the columns that a record's `unit` has the values of, in its order. */
  readonly unitFields: readonly string[];
}

/** How a row came to its arm. Made once for all rows that come the same way: the log compiles it by its identity. */
export interface RecordRoute {
  /** `forced`, `rule`, `holdout`, `experiment`, `rollout`, `base` or `no_unit`. */
  readonly via: string;
  /** The variant or the experiment's arm that the row was assigned to, whatever answered it. */
  readonly assigned: string;
  readonly experiment: string | null;
  /** Of the experiment; null without one. */
  readonly phase: number | null;
  /** Of the endpoint's traffic. */
  readonly revision: number;
  /** The variant or arm that another stood in for. */
  readonly fallbackFrom: string | null;
  /** Request columns of the experiment's unit: where one is redacted its text is hashed. */
  readonly unitFields: readonly string[];
  /** Whether a sample takes all rows of a unit or none. */
  readonly keepsUnitsWhole: boolean;
}

/** One predicted row; values are positional by the schema's fields. The log keeps nothing of it. */
export interface PredictionRecord {
  /** Unique over all processes and restarts. */
  readonly predictionId: string;
  readonly requestId: string;
  readonly traceId: string | null;
  /** The time that features were read as of. */
  readonly atMicros: Micros;
  /** Of the whole request. */
  readonly latencyMicros: number;
  /** The values that stuck the row to its variant, by the schema's `unitFields`. */
  readonly unit: readonly string[];
  /** Null where nobody says. */
  readonly route: RecordRoute | null;
  /** The unit as the experiment assigned it; null without one. */
  readonly experimentUnit: string | null;
  /** FNV-1a of the unit by the endpoint's own seed; 0 without one. */
  readonly unitHash: number;
  readonly request: readonly Value[];
  readonly features: readonly Value[];
  /** Online status of each feature; PRESENT where there is none. */
  readonly statuses: readonly string[];
  readonly outputs: readonly Value[];
  /** The model ran for an equal row, not for this one. Left out: it ran. */
  readonly isCached?: boolean;
}

/** What really happened. Of several for one prediction the one that was recorded last wins, so a repeat changes nothing. */
export interface OutcomeEntry {
  /** Or the unit whose newest prediction it is told of, of those from a time on until it was observed. */
  readonly predictionId: string | UnitPrediction;
  readonly endpoint: string;
  readonly value: number | boolean | string | null;
  readonly observedMicros: Micros;
}

export interface UnitPrediction {
  /** As a record's `unit`. */
  readonly unit: readonly string[];
  readonly fromMicros: Micros;
}

export interface ArmLog {
  /**
   * Takes the record to be written within the next second. Never blocks, never throws. False where it was dropped, which
   * is counted by reason, or is not of the sample.
   */
  append(record: PredictionRecord): boolean;
}

export interface PredictionLog {
  /** Where an arm's rows are logged; cheap to call twice for one schema. */
  arm(schema: ArmSchema): ArmLog;
  /**
   * Durable once resolved, with what was appended before; a batch of any size succeeds. Throws HR_STORAGE_FULL or the
   * disk's error, HR_STOPPING once closed, HR_OVERLOADED where too many bytes of other batches wait already.
   */
  recordOutcomes(outcomes: readonly OutcomeEntry[]): Promise<void>;
  /** Whether values of the endpoint's column may not lie in the log: then no outcome may name them either. */
  redacts(endpoint: string, column: string): boolean;
  /** Resolves once all that was appended before is on disk. Throws HR_STORAGE_FULL or the disk's error when it isn't. */
  flush(): Promise<void>;
  counters(): PredictionLogCounters;
  /** Flushes and ends the segment. A failing disk is logged, not thrown: stopping goes on. */
  close(): Promise<void>;
}

/**
 * `full`: the memory for what waits is used up. `disk`: it could not be written. `closed`: it came after the end.
 * `too_large`: its numbers alone pass the bound of a record. `invalid`: a value is none of its field's type.
 */
export type DropReason = 'full' | 'disk' | 'closed' | 'too_large' | 'invalid';

export interface PredictionLogCounters {
  /** Predictions and outcomes that are on disk. */
  readonly written: number;
  /** Predictions that are not of the sample. */
  readonly skipped: number;
  /** Predictions that wait in memory, or are written and not synced yet. */
  readonly queued: number;
  /** Memory that is held for predictions that wait. */
  readonly queuedBytes: number;
  /** By reason; outcomes are refused with an error instead. */
  readonly dropped: Readonly<Record<DropReason, number>>;
}

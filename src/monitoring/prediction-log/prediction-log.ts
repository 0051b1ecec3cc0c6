// The port of the prediction log: what is logged of a prediction, what of its outcome, and what the writer promises.
// What lies on disk, and how long something may be lost, is told in docs/guides/monitoring.md.

import type { Field, Micros, Value } from '../../core/index.ts';

/** One predicted row. It becomes a line when it is appended; the log keeps nothing of it. */
export interface PredictionEntry {
  /** Unique over all processes and restarts. */
  readonly predictionId: string;
  readonly requestId: string;
  readonly traceId: string | null;
  /** The time that features were read as of. */
  readonly atMicros: Micros;
  /** Of the whole request. */
  readonly latencyMicros: number;
  readonly endpoint: string;
  readonly model: string;
  readonly version: number;
  readonly variant: string;
  /** The values that stuck the row to its variant. */
  readonly unit: readonly string[];
  /** Fields and values are positional. One array of fields for many entries lets the log compile its writer once. */
  readonly requestFields: readonly Field[];
  readonly request: readonly Value[];
  readonly featureFields: readonly Field[];
  readonly features: readonly Value[];
  /** Online status of each feature. */
  readonly statuses: readonly string[];
  readonly outputFields: readonly Field[];
  readonly outputs: readonly Value[];
}

/** What really happened. Of several for one prediction the one that was recorded last wins, so a repeat changes nothing. */
export interface OutcomeEntry {
  readonly predictionId: string;
  readonly endpoint: string;
  readonly value: number | boolean | string | null;
  readonly observedMicros: Micros;
}

export interface ArmSchema {
  readonly endpoint: string;
  readonly model: string;
  readonly version: number;
  readonly variant: string;
  readonly arm: string;
  readonly requestFields: readonly Field[];
  readonly featureFields: readonly Field[];
  readonly outputFields: readonly Field[];
}

export interface PredictionRecord {
  readonly predictionId: string;
  readonly requestId: string;
  readonly traceId: string | null;
  readonly atMicros: Micros;
  readonly latencyMicros: number;
  readonly unit: readonly string[];
  readonly request: readonly Value[];
  readonly features: readonly Value[];
  readonly statuses: readonly string[];
  readonly outputs: readonly Value[];
}

export interface ArmLog {
  append(record: PredictionRecord): boolean;
}

export interface PredictionLog {
  arm(schema: ArmSchema): ArmLog;
  recordOutcomes(outcomes: readonly OutcomeEntry[]): Promise<void>;
  /**
   * Takes the entry to be written within the next second. Never blocks, never throws; false when the queue is full or the
   * log closed: the entry is dropped, and counted.
   */
  append(entry: PredictionEntry): boolean;
  /** Takes an outcome likewise; `flush` makes it durable. Throws HR_OVERLOADED when the queue is full, HR_STOPPING when closed. */
  appendOutcome(outcome: OutcomeEntry): Promise<void>;
  /** Resolves once all that was appended before is on disk. Throws HR_STORAGE_FULL or the disk's error when it isn't. */
  flush(): Promise<void>;
  counters(): PredictionLogCounters;
  /** Flushes and ends the segments. A failing disk is logged, not thrown: stopping goes on. */
  close(): Promise<void>;
}

export interface PredictionLogCounters {
  /** Entries and outcomes that are on disk. */
  readonly written: number;
  /** Entries that found the queue full or the log closed, and entries and outcomes that the disk refused. */
  readonly dropped: number;
  /** Entries and outcomes that wait in memory. */
  readonly queued: number;
}

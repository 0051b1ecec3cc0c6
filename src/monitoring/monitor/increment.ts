// What a process tells whoever owns the totals, as plain data: what it has counted since it last told, and how it stands now.

import type { Micros } from '../../core/index.ts';
import type { PackedShadow } from '../shadows/shadow-tally.ts';
import type { CacheCounts, CacheReading } from './cache-figures.ts';
import type { ModelCounts, ModelReading } from './model-figures.ts';
import type { PushBacklog, PushCounts } from './push-tally.ts';
import type { PackedTally } from './tally.ts';

/** What is counted together. */
export type CellId =
  | { readonly kind: 'endpoint'; readonly name: string }
  | { readonly kind: 'service'; readonly name: string }
  | {
      readonly kind: 'arm';
      /** The endpoint's. */
      readonly name: string;
      readonly variant: string;
      readonly version: number;
      readonly model: string;
    };

export type NamedCounts = readonly (readonly [name: string, count: number])[];

export type PackedCell = CellId & {
  readonly tallies: readonly PackedTally[];
  /** By error code: requests; of an arm, rows. */
  readonly errors: NamedCounts;
  /** By error code: rows that failed before they had a variant, of requests that were answered. Of endpoints alone. */
  readonly rowErrors: NamedCounts;
  /** By feature: rows in which it was NOT_FOUND, OUTSIDE_MAX_AGE or INVALID. */
  readonly missing: NamedCounts;
  /** Of an arm: how often a process's breaker opened. */
  readonly breakerOpens: number;
};

/** What was counted. Increments add up in whatever order. */
export interface Increment {
  readonly cells: readonly PackedCell[];
  readonly pushes: readonly (readonly [source: string, counts: PushCounts])[];
  /** By error code: requests of whoever may not ask. */
  readonly turnedAway: NamedCounts;
  /** By flag and arm, a space between: units that an SDK says it has given the arm. */
  readonly exposures: NamedCounts;
  readonly logWritten: number;
  /** By reason. */
  readonly logDropped: NamedCounts;
  /** Rows by the minute that could not be written in time. */
  readonly minutesDropped: number;
  readonly models: readonly ModelCounts[];
  readonly shadows: readonly PackedShadow[];
  readonly caches: readonly CacheCounts[];
}

/** How a process stands right now. */
export interface Readings {
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly startMicros: Micros;
  readonly isReady: boolean;
  /** Of endpoints with traffic: whether this process serves what that says. */
  readonly endpoints: readonly (readonly [name: string, isServing: boolean])[];
  /** Requests that run. */
  readonly inFlight: number;
  /** Bytes of request bodies that are read or worked at. */
  readonly inFlightBytes: number;
  /** How late the event loop was in the last ten to twenty seconds. */
  readonly loopDelayMicros: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Share of that time in which it was busy. */
  readonly loopUtilization: number;
  /** Predictions that are not on disk yet, and the memory held for those that wait to be written. */
  readonly logQueued: number;
  readonly logQueuedBytes: number;
  /** Rows by the minute that wait for a database that is away. */
  readonly minutesWaiting: number;
  readonly backlog: PushBacklog;
  /** When the certificate that new connections get ends; null without TLS. */
  readonly certificateEndsMicros: Micros | null;
  readonly models: readonly ModelReading[];
  readonly caches: readonly CacheReading[];
}

export interface Taken {
  readonly increment: Increment;
  readonly readings: Readings;
}

export interface Report extends Taken {
  /** 1, 2, … of one process: what was counted once is not counted again when it comes again, or late. */
  readonly sequence: number;
}

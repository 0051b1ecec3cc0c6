// What one server counted of one series in one minute, as the table has it: whole rows, so that a repeat changes nothing, and
// rows of all servers add up.

import type { Micros } from '../../core/index.ts';
import type { GroupedOutcomes, PackedHashes } from '../../statistics/index.ts';
import type { PackedSketch } from '../monitor/latency-sketch.ts';

/**
 * `arm`: rows at an arm, as assigned. `endpoint`, `service`: whole requests. `outcome`: what became of an endpoint's predictions,
 * by revision and version alone, which their ids tell; under revision 0 how many were told of units, whose predictions the log alone
 * knows.
 */
export type SeriesKind = 'arm' | 'endpoint' | 'service' | 'outcome';

export interface SeriesId {
  readonly kind: SeriesKind;
  /** The endpoint's, or the service's. */
  readonly endpoint: string;
  /** Of an experiment's arm `experiment/arm`; empty where the kind has none, as are the four that follow. */
  readonly variant: string;
  readonly version: number;
  /** The arm's id. */
  readonly arm: string;
  /** Of the endpoint's traffic. */
  readonly revision: number;
}

export interface MinuteCounts {
  /** Answered ones that had rows here. */
  readonly requests: number;
  /** Answered ones. */
  readonly rows: number;
  /** By the server's own fault: rows at an arm, else requests. */
  readonly errors: number;
  /** By the client's: rows at an arm, else requests. */
  readonly refused: number;
  /** Since there was too much to do: rows at an arm, else requests. */
  readonly rejected: number;
  /** Answered rows of requests that took longer than `slowMicros`. */
  readonly slow: number;
  /** Answered rows in which a feature was missing or null. */
  readonly nulls: number;
  readonly breakerOpens: number;
}

export interface MinuteRow extends SeriesId, MinuteCounts {
  /** Its start. */
  readonly minute: Micros;
  /** A server's id, with a suffix where its clock was set back. */
  readonly writer: string;
  /** Grows with each report of a writer. */
  readonly sequence: number;
  /** When it was written, by the servers' shared clock. */
  readonly reportedMicros: Micros;
  /** What `slow` was held against last; null where nothing was slow or not. */
  readonly slowMicros: number | null;
  /** Of answered requests. */
  readonly latency: PackedSketch;
  /**
   * Units that this server met under this revision in this minute and not before, and those with a first event of the kind:
   * exact to 4,096, then the lowest hashes. Empty where the endpoint had one arm and no rollout. A unit may come again in a
   * later minute: readers count it once (a rollout's tally).
   */
  readonly units: PackedHashes;
  readonly errorUnits: PackedHashes;
  readonly slowUnits: PackedHashes;
  readonly nullUnits: PackedHashes;
  readonly outcomes: MinuteOutcomes | null;
}

/**
 * By the minute in which they were told. One that is corrected is taken back in the minute of the correction, so that a minute's sums
 * may be below 0.
 */
export interface MinuteOutcomes extends GroupedOutcomes {
  /** Units with an outcome that is true, or not 0. */
  readonly eventUnits: PackedHashes;
}

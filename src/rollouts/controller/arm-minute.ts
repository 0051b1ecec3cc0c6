// What the rollout needs of a minute sketch: one minute of one arm at one server. The port is what `app` composes of the
// monitoring's minutes and the registry's servers.

import type { Micros } from '../../core/index.ts';
import type { GroupedOutcomes, PackedHashes } from '../../statistics/index.ts';

/** As `monitoring_minutes` has it; more members are there. */
export interface ArmMinute {
  /** `arm`: rows at an arm, as assigned. `outcome`: what became of predictions, by revision and version alone. */
  readonly kind: string;
  readonly variant: string;
  readonly version: number;
  readonly revision: number;
  readonly minute: Micros;
  readonly writer: string;
  readonly rows: number;
  readonly breakerOpens: number;
  readonly units: PackedHashes;
  readonly errorUnits: PackedHashes;
  readonly slowUnits: PackedHashes;
  readonly nullUnits: PackedHashes;
  readonly outcomes: ArmOutcomes | null;
}

export interface ArmOutcomes extends GroupedOutcomes {
  readonly eventUnits: PackedHashes;
}

/** Outcomes of predictions that are old enough, by what was known of each at that age; of one arm under one revision. */
export interface MaturedOutcomes extends GroupedOutcomes {
  readonly version: number;
  readonly revision: number;
  /** Units with a true or non-zero outcome, with the minute in which the first was known. */
  readonly events: readonly { readonly unitHash: number; readonly minute: Micros }[];
}

/** Everything that a rollout sees of the requests. Implemented in `app`. */
export interface RolloutEvidence {
  /** Minutes of an endpoint's arms under the revisions; from `fromMicros` on, before `toMicros`. */
  minutes(query: {
    readonly endpoint: string;
    readonly revisions: readonly number[];
    readonly fromMicros: Micros;
    readonly toMicros?: Micros;
  }): Promise<readonly ArmMinute[]>;
  /**
   * Servers, by name for people, whose minutes have not come for 30 s: of those that are live, and of those that were at
   * `sinceMicros` or later and have not left.
   */
  lateServers(sinceMicros: Micros): Promise<readonly string[]>;
  /**
   * So many times the version's 99th percentile over the minutes since, in microseconds, on a bucket's edge; undefined where fewer
   * than three of them have requests.
   */
  slowLimit(query: {
    readonly endpoint: string;
    readonly version: number;
    readonly fromMicros: Micros;
    readonly factor: number;
  }): Promise<number | undefined>;
  /** Tells the servers what is slow, null: nothing. */
  tellSlowLimit(endpoint: string, micros: number | null): Promise<void>;
  /** `fromMicros`: of predictions since. */
  matured(query: {
    readonly endpoint: string;
    readonly fromMicros: Micros;
    readonly maturityMicros: Micros;
  }): Promise<readonly MaturedOutcomes[]>;
}

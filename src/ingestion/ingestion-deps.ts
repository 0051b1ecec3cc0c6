// What the push path works with: given by the composition root, and by tests.

import type { Quarantine } from '../checks/index.ts';
import type { Clock, Logger, Micros, Row } from '../core/index.ts';
import type { Definitions, OnFailedValue, SourceSpec, VersionEpoch } from '../definitions/index.ts';
import type { EventLog } from '../events/index.ts';
import type { OnlineStore, RowSchemas, Runs } from '../online/index.ts';
import type { FeedTable } from './feed-table.ts';
import type { PushedTable } from './pushed-table.ts';

export interface IngestionDeps {
  readonly log: EventLog;
  readonly store: OnlineStore;
  readonly runs: Runs;
  readonly schemas: RowSchemas;
  /** Left out where versions never change. */
  readonly versions?: FirstCutTable;
  /** Left out where nothing is fed. */
  readonly feeds?: FeedTable;
  /** Left out where nobody follows what is pushed. */
  readonly pushed?: PushedTable;
  /**
   * Makes the function that adds a source's derived columns to rows, as offline computes them. A value that can't be
   * derived throws; with `onFailedValue` it is null, and that is told of it.
   */
  readonly deriver: (definitions: Definitions, source: SourceSpec, onFailedValue?: OnFailedValue) => DeriveRows;
  /** Where rows go that are set apart, opened when the first comes; left out where no source sets any apart. */
  readonly quarantine?: () => Promise<Pick<Quarantine, 'hold' | 'withdraw' | 'keepOnly'>>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: IngestionLimits;
}

export type DeriveRows = (rows: readonly Row[]) => readonly Row[] | Promise<readonly Row[]>;

export interface IngestionLimits {
  /** Rows of one push. */
  readonly maxRows: number;
  /** Bytes of a writer's parts in memory past which it cuts. */
  readonly memoryBytes: number;
  /** How far ahead of the clock an event's times may lie. */
  readonly maxAheadMicros: Micros;
  /** How long a claim is remembered after its cut is sealed; at least a day. */
  readonly claimRetentionMs: number;
  /** How long a push waits for the store before it is answered 503; what it logged is counted all the same. */
  readonly timeoutMs: number;
}

/** Where they are kept. */
export interface FirstCutTable {
  noteFirstCuts(writer: number, cut: number, versions: readonly VersionEpoch[]): Promise<void>;
}

// Work that goes on beside requests, in one process of a server, and in one server of many.

import type { LeaseToken } from '../../storage/index.ts';

export interface BackgroundJob {
  /** Of its lease and its log lines: `minutes rollup`. */
  readonly name: string;
  /** From the start of a run to the next one's; one that takes longer is followed at once. The first comes at once. */
  readonly everyMs: number;
  /**
   * One run. It ends soon once `signal` is aborted: the server stops, or another has the lease. What it may only do as the
   * one that holds the lease it does in a transaction that asks `holdsLease(trx, kind, held)`: a process that was paused
   * learns late that it lost it. What it throws is logged, and the run is tried again.
   */
  run(signal: AbortSignal, held: LeaseToken): Promise<void>;
}

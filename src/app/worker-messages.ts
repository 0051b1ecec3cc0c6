// What the primary and its workers say to each other. The primary owns the totals of what was counted: a worker's death takes
// nothing from them, and a scrape or a stream on any worker tells of all.

import type { Report, ToldTotals } from '../monitoring/index.ts';

/** How a worker is to start: its one argument, as JSON. */
export interface WorkerStart {
  readonly config: string;
  readonly host: string;
  readonly port: number;
  /** Left out: gRPC is not served. */
  readonly grpcPort?: number;
  /** Whether anybody is let in on an address that is not loopback, while there are no keys. */
  readonly isInsecure: boolean;
  /** What it tells the registry of itself under. */
  readonly serverId: string;
  /** One worker compacts the prediction log for all. */
  readonly compacts: boolean;
}

export type ToWorker =
  /** Take connections. */
  | { readonly kind: 'listen' }
  | { readonly kind: 'stop' }
  /** Give balancers no time to notice that you stop. */
  | { readonly kind: 'hurry' }
  /** Report what you have counted until now, and say so. */
  | { readonly kind: 'collect'; readonly gathering: number }
  /** What you asked for. */
  | { readonly kind: 'totals'; readonly ask: number; readonly totals: ToldTotals };

export type FromWorker =
  /** It could listen, and waits to be told so. */
  | { readonly kind: 'up'; readonly isReady: boolean }
  | { readonly kind: 'listening'; readonly url: string; readonly grpcAddress?: string | undefined }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'report'; readonly report: Report }
  /** All that was counted before was reported. */
  | { readonly kind: 'collected'; readonly gathering: number }
  /** Tell me the totals; `gathers`: once the others have reported. */
  | { readonly kind: 'ask'; readonly ask: number; readonly gathers: boolean };

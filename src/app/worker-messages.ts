// What the primary and its workers say to each other. Figures are gathered through the primary, so that a scrape or a
// stream on any worker tells of all of them.

/** How a worker is to start: its one argument, as JSON. */
export interface WorkerStart {
  readonly config: string;
  readonly host: string;
  readonly port: number;
  /** Whether anybody is let in on an address that is not loopback, while there are no keys. */
  readonly isInsecure: boolean;
  /** One worker compacts the prediction log for all. */
  readonly compacts: boolean;
}

export type ToWorker =
  | { readonly kind: 'stop' }
  /** Send your own figures. */
  | { readonly kind: 'collect'; readonly ask: number }
  /** What you asked for: every worker's figures. */
  | { readonly kind: 'gathered'; readonly ask: number; readonly states: readonly unknown[] };

export type FromWorker =
  | { readonly kind: 'listening'; readonly url: string }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'gather'; readonly ask: number }
  | { readonly kind: 'state'; readonly ask: number; readonly state: unknown };

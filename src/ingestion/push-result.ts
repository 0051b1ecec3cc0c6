// What a push is answered with. It depends on the entry and its cut alone, so that a repeat, and a settler after a
// crash, give the same.

import type { BrokenRule } from '../checks/index.ts';
import type { Durable } from '../online/index.ts';

export interface PushResult {
  /** Rows that are in the log. */
  readonly accepted: number;
  /** The Idempotency-Key was met before: this is what came of the first time. */
  readonly duplicate: boolean;
  readonly views: readonly PushedView[];
  /** What it survives, as was confirmed before the answer; of a repeated push before this answer. */
  readonly durable: Durable;
  /** Of a feed's batch that another was before: where that ended. Nothing of the rows was kept. */
  readonly until?: number;
  /** Rows that were set apart instead; left out for none. */
  readonly quarantined?: number;
  /** Rules that rows broke which were taken all the same; in the first answer only, left out for none. */
  readonly warnings?: readonly Pick<BrokenRule, 'rule' | 'rows'>[];
}

/**
 * Of a push without an Idempotency-Key: its rows are on the log's disk (a topic's brokers have them), and whatever the
 * online store loses is written again from there. Nothing of it needs the store's replicas.
 */
export const LOGGED: Durable = { disk: true, replicas: 0 };

/** What a live view made of a push. */
export interface PushedView {
  readonly view: string;
  /** Records that changed. */
  readonly written: number;
  /** Events that the view's files hold already, up to its boundary: counted there, not here. */
  readonly covered: number;
  /** Events with a null key or event time: they match nothing. */
  readonly ignored: number;
}

/** As a claim keeps it. */
export function encodeResult({ accepted, views }: Pick<PushResult, 'accepted' | 'views'>): string {
  return JSON.stringify({ accepted, views });
}

/** The first result, given again. */
export function repeatedResult(text: string, durable: Durable): PushResult {
  // encodeResult wrote it.
  const { accepted, views } = JSON.parse(text) as Pick<PushResult, 'accepted' | 'views'>;
  return { accepted, duplicate: true, views, durable };
}

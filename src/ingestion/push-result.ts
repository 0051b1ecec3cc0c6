// What a push is answered with. It depends on the entry and its cut alone, so that a repeat, and a settler after a
// crash, give the same.

import type { BrokenRule } from '../checks/index.ts';

export interface PushResult {
  /** Rows that are in the log. */
  readonly accepted: number;
  /** The Idempotency-Key was met before: this is what came of the first time. */
  readonly duplicate: boolean;
  readonly views: readonly PushedView[];
  /** Of a feed's batch that another was before: where that ended. Nothing of the rows was kept. */
  readonly until?: number;
  /** Rows that were set apart instead; left out for none. */
  readonly quarantined?: number;
  /** Rules that rows broke and were taken all the same; told of the first time alone, left out for none. */
  readonly warnings?: readonly Pick<BrokenRule, 'rule' | 'rows'>[];
}

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
export function repeatedResult(text: string): PushResult {
  // encodeResult wrote it.
  const { accepted, views } = JSON.parse(text) as Pick<PushResult, 'accepted' | 'views'>;
  return { accepted, duplicate: true, views };
}

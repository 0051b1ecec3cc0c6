// Refused changes in the audit log, whoever asked for them: a row each, written once the change's own transaction is undone. A
// caller that goes on and on gets few rows, and the rest is counted.

import { canonicalJson, createLastUsed, createRateLimit, HeadraceError, withoutKeySecrets } from '../core/index.ts';
import type { AuditEntry, RegistryStore } from './store.ts';

export interface Attempt extends Pick<AuditEntry, 'actor' | 'action' | 'object' | 'reason'> {
  /** What was asked for, where `object` and `action` don't say it. */
  readonly asked?: unknown;
}

/** What failed inside, or was away, refused nothing. */
const FAULTS = new Set([500, 503, 504]);
const MOST_ASKED = 4000;
const MOST_DETAIL = 500;
/** Rows of one actor in a row, then so many an hour: as the server's gate has it for those whom it knows. */
const BURST = 20;
const PER_HOUR = 600;
/** Actors whose refusals are counted at once. */
const MOST_UNTOLD = 1000;

/**
 * Runs a change, and tells of it where it is refused: why, what was asked for unless that is large, what was before where
 * `work` notes it, and how many refusals of this actor went untold since the last (`untold`). Throws what `work` does, whatever
 * becomes of the row.
 */
export type TellRefusal = <R>(attempt: Attempt, work: (note: (before: unknown) => void) => Promise<R>) => Promise<R>;

/** `nowMs` is steady. */
export function createTellRefusal(
  { db, writeAudit }: Pick<RegistryStore, 'db' | 'writeAudit'>,
  nowMs?: () => number,
): TellRefusal {
  const limit = createRateLimit(PER_HOUR / 3600, nowMs, BURST);
  const untold = createLastUsed<string, number>(MOST_UNTOLD);

  const tell = async ({ asked, ...attempt }: Attempt, before: unknown, refusal: HeadraceError): Promise<void> => {
    const { actor } = attempt;
    const missed = untold.get(actor) ?? 0;
    if (!limit.take(actor)) return untold.set(actor, missed + 1);
    untold.delete(actor);
    const isSmall = asked !== undefined && canonicalJson(asked).length <= MOST_ASKED;
    const after = {
      refused: refusal.code,
      detail: withoutKeySecrets(refusal.message).slice(0, MOST_DETAIL),
      ...(isSmall ? { asked } : {}),
      ...(missed === 0 ? {} : { untold: missed }),
    };
    try {
      await writeAudit(db, { ...attempt, before, after });
    } catch (thrown) {
      // What was refused stays refused; the next row counts this one, and whoever logs the refusal has why.
      untold.set(actor, (untold.get(actor) ?? 0) + missed + 1);
      refusal.cause ??= thrown;
    }
  };

  return async (attempt, work) => {
    let before: unknown;
    try {
      return await work((known) => (before = known));
    } catch (thrown) {
      if (thrown instanceof HeadraceError && !FAULTS.has(thrown.status)) await tell(attempt, before, thrown);
      throw thrown;
    }
  };
}

// Refused changes in the audit log: a row each, whoever asked for it. It is written once the change's own transaction is undone.

import { canonicalJson, HeadraceError, withoutKeySecrets } from '../core/index.ts';
import type { AuditEntry, RegistryStore } from './store.ts';

export interface Attempt extends Pick<AuditEntry, 'actor' | 'action' | 'object' | 'reason'> {
  /** What was asked for, where `object` and `action` don't say it. */
  readonly asked?: unknown;
}

/** What failed inside, or was away, refused nothing. */
const FAULTS = new Set([500, 503, 504]);
const MOST_ASKED = 4000;
const MOST_DETAIL = 500;

/**
 * Runs a change, and tells of it where it is refused: why, what was asked for unless that is large, and what was before where
 * `work` notes it. Throws what `work` does.
 */
export async function tellingRefusal<R>(
  store: RegistryStore,
  { asked, ...attempt }: Attempt,
  work: (note: (before: unknown) => void) => Promise<R>,
): Promise<R> {
  let before: unknown;
  try {
    return await work((known) => (before = known));
  } catch (thrown) {
    if (thrown instanceof HeadraceError && !FAULTS.has(thrown.status)) {
      const isSmall = asked !== undefined && canonicalJson(asked).length <= MOST_ASKED;
      const after = {
        refused: thrown.code,
        detail: withoutKeySecrets(thrown.message).slice(0, MOST_DETAIL),
        ...(isSmall ? { asked } : {}),
      };
      await store.writeAudit(store.db, { ...attempt, before, after });
    }
    throw thrown;
  }
}

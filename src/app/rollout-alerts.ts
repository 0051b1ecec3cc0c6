// Alerts of rollouts: one opens where the watch after a promotion finds what can't be taken back any more, and closes once the
// endpoint answers by another version. Until then it is true, and no second one of the endpoint is told.

import type { Micros } from '../core/index.ts';
import type { Alerts } from '../monitoring/index.ts';
import type { Rollout } from '../rollouts/index.ts';

const RULE = 'rollout';

export interface RolloutAlerts {
  tell(rollout: Pick<Rollout, 'id' | 'endpoint' | 'candidate'>, sentence: string): Promise<void>;
  /** Closes those that are over. */
  close(endpoint?: string): Promise<void>;
}

/** `servedBy`: the versions that an endpoint answers by; none where there is no such endpoint. */
export function createRolloutAlerts(
  alerts: Pick<Alerts, 'list' | 'observe'>,
  servedBy: (endpoint: string) => Promise<readonly number[]>,
  now: () => Micros,
): RolloutAlerts {
  const of = { rule: RULE, feature: null, opensAfter: 1, closesAfter: 1 };
  const close = async (endpoint?: string): Promise<void> => {
    // Before what is told at the same moment.
    const at = now() - 1;
    const open = await alerts.list({ rule: RULE, state: 'open', ...(endpoint === undefined ? {} : { endpoint }) });
    for (const one of open) {
      // `tell` wrote it.
      const { candidate } = one.evidence as { readonly candidate: number };
      if ((await servedBy(one.endpoint)).includes(candidate)) continue;
      await alerts.observe({ ...of, endpoint: one.endpoint, state: 'ok', evidence: one.evidence, at });
    }
  };
  return {
    close,
    async tell({ id, endpoint, candidate }, sentence) {
      await close(endpoint);
      const evidence = { rollout: id, candidate, reason: sentence };
      await alerts.observe({ ...of, endpoint, state: 'firing', evidence, at: now() });
    },
  };
}

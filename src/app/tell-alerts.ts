// What happened to rollouts, as alerts: of an endpoint at most one is open, and it closes once somebody did something about it.

import type { Alerts } from '../monitoring/index.ts';
import type { RolloutNews } from '../rollouts/index.ts';

/** News that come twice change nothing: they come with the time of what they tell. */
export function tellAlerts(alerts: Pick<Alerts, 'observe'>): (news: RolloutNews) => Promise<void> {
  return ({ endpoint, isWrong, atMicros, evidence }) =>
    alerts.observe({
      rule: 'rollout',
      endpoint,
      feature: null,
      state: isWrong ? 'firing' : 'ok',
      evidence,
      at: atMicros,
      opensAfter: 1,
      closesAfter: 1,
    });
}

// What Statsig's SDKs log of the arms that they gave: counted by flag and arm, and nothing else of it is kept. What names a flag
// or an arm that is not there counts as `other`, so that no client makes figures without end.

import type { StatsigSpecs } from './statsig-specs.ts';

export interface Exposure {
  readonly flag: string;
  readonly arm: string;
  readonly count: number;
}

const OTHER = 'other';

/** `body`: `{ events: [{ eventName, metadata: { config, ruleID } }] }`; whatever else is no exposure. */
export function countExposures(body: unknown, { dynamic_configs }: Pick<StatsigSpecs, 'dynamic_configs'>): Exposure[] {
  const arms = new Map(
    dynamic_configs.map(({ name, rules }) => [name, new Set(['default', ...rules.map(({ id }) => id)])]),
  );
  const counts = new Map<string, Map<string, number>>();
  for (const event of eventsOf(body)) {
    const { eventName, metadata } = event as { readonly eventName?: unknown; readonly metadata?: unknown };
    if (eventName !== 'statsig::config_exposure') continue;
    const { config, ruleID } = (metadata ?? {}) as { readonly config?: unknown; readonly ruleID?: unknown };
    const known = typeof config === 'string' ? arms.get(config) : undefined;
    const flag = known === undefined ? OTHER : String(config);
    const arm = typeof ruleID === 'string' && known?.has(ruleID) === true ? ruleID : OTHER;
    const ofFlag = counts.get(flag) ?? new Map<string, number>();
    counts.set(flag, ofFlag.set(arm, (ofFlag.get(arm) ?? 0) + 1));
  }
  return [...counts].flatMap(([flag, ofFlag]) => Array.from(ofFlag, ([arm, count]) => ({ flag, arm, count })));
}

function eventsOf(body: unknown): readonly object[] {
  const events = (body as { readonly events?: unknown } | null)?.events;
  if (!Array.isArray(events)) return [];
  return events.filter((event): event is object => typeof event === 'object' && event !== null);
}

// What starts a pipeline's run besides its schedule.

import type { AuthoredEndpoint, AuthoredObject, AuthoredSource, AuthoredView } from './authored.ts';

/** What a pipeline is `on`. */
export interface Trigger {
  readonly trigger: { readonly kind: 'materialized' | 'pushed' | 'drift'; readonly of: AuthoredObject };
}

/** Each time the view was materialized. */
export function materialized(view: AuthoredObject<AuthoredView>): Trigger {
  return { trigger: { kind: 'materialized', of: view } };
}

/** Each time the source was pushed to. */
export function pushedTo(source: AuthoredObject<AuthoredSource>): Trigger {
  return { trigger: { kind: 'pushed', of: source } };
}

/** Each time drift was found at the endpoint. */
export function drift(endpoint: AuthoredObject<AuthoredEndpoint>): Trigger {
  return { trigger: { kind: 'drift', of: endpoint } };
}

/** The trigger that a value is, if it is one. */
export function triggerOf(value: unknown): Trigger | undefined {
  if (typeof value !== 'object' || value === null || !('trigger' in value)) return undefined;
  const { trigger } = value;
  const isTrigger = typeof trigger === 'object' && trigger !== null && 'of' in trigger && 'kind' in trigger;
  // Its kind and object are looked at where it is compiled.
  return isTrigger ? (value as Trigger) : undefined;
}

// What starts a pipeline's run besides its schedule.

import type { AuthoredEndpoint, AuthoredObject, AuthoredSource, AuthoredView } from './authored.ts';
import { findSlips, type OptionNames, optionsOf, type Slip } from './call.ts';

/** What a pipeline is `on`. */
export interface Trigger {
  readonly trigger: {
    readonly kind: 'materialized' | 'pushed' | 'drift';
    readonly of: AuthoredObject;
    /** Of pushes. As it may come from plain JavaScript. */
    readonly every?: unknown;
    readonly slips?: readonly Slip[];
  };
}

export interface PushedOptions {
  /** From the start of one run to that of the next at least, whatever is pushed between: `1m` by default. */
  readonly every?: string;
}

const PUSHED_OPTIONS: OptionNames<PushedOptions> = { every: true };

/** Each time the view was materialized. */
export function materialized(view: AuthoredObject<AuthoredView>): Trigger {
  return { trigger: { kind: 'materialized', of: view } };
}

/** Each time the source was pushed to, as often as `every` lets. */
export function pushedTo(source: AuthoredObject<AuthoredSource>, options: PushedOptions = {}): Trigger {
  const slips = findSlips(options, PUSHED_OPTIONS, [1], 'pushed(…)');
  return { trigger: { kind: 'pushed', of: source, every: optionsOf(options).every, slips } };
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

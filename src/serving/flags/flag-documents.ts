// A document of all flags, made once for each change and for each set of endpoints that its readers may see.

import { type Actor, createLastUsed, stringifyJson } from '../../core/index.ts';
import { type Flag, type FlagPlan, flagsOf } from './flag.ts';

export interface FlagDocument<T> {
  readonly of: T;
  /** When this process first had it so: milliseconds, later than that of any before it. */
  readonly changedMs: number;
}

/** The same object until what is in it changes. */
export type FlagDocuments<T> = (endpoints: Actor['endpoints']) => FlagDocument<T>;

interface Kept<T> {
  readonly plans: readonly FlagPlan[];
  readonly text: string;
  readonly document: FlagDocument<T>;
}

/** Sets of endpoints that keys are kept to; one that is asked for less is made again. */
const MOST_KEPT = 64;

/** `render`: equal contents have equal JSON. `plans`: what is served now. */
export function createFlagDocuments<T>(
  plans: () => readonly FlagPlan[],
  render: (flags: ReadonlyMap<string, Flag>) => T,
  nowMs: () => number,
): FlagDocuments<T> {
  const kept = createLastUsed<string, Kept<T>>(MOST_KEPT);
  let lastMs = 0;
  return (endpoints) => {
    const now = plans();
    const who = endpoints === null ? '' : [...endpoints].sort().join(' ');
    const before = kept.get(who);
    if (before !== undefined && isSame(before.plans, now)) return before.document;
    const of = render(flagsOf(now, endpoints));
    const text = stringifyJson(of);
    if (before?.text === text) {
      kept.set(who, { ...before, plans: now });
      return before.document;
    }
    lastMs = Math.max(lastMs + 1, Math.floor(nowMs()));
    const document = { of, changedMs: lastMs };
    kept.set(who, { plans: now, text, document });
    return document;
  };
}

function isSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((item, at) => item === other[at]);
}

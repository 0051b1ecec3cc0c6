// What changes lead to, collected by the change that causes it: reasons why it breaks something, and who is touched.

import type { Manifest } from '../../definitions/index.ts';
import type { Owner } from './feature-parts.ts';
import type { InUse } from './in-use.ts';
import type { Renames } from './renames.ts';
import { describeEach, describeTouched, mergeTouched, type Touched } from './touched.ts';

export interface BreakingReason {
  /** What happens: `origin__mean_7d changes meaning`. */
  readonly what: string;
  /** For whom: each in words, with what becomes of it. */
  readonly who: readonly string[];
  readonly touched: readonly Touched[];
}

/** What becomes of whom: of one, of several. */
export type Outcome = readonly [one: string, many: string];

export interface Situation {
  readonly before: Manifest;
  readonly after: Manifest;
  readonly renames: Renames;
  readonly inUse: InUse;
  /** The key of an object's change, by its name in either manifest; undefined where it doesn't change. */
  readonly keyOf: (owner: Owner) => string | undefined;
  /** The key of any change: where none of the objects in question changes. */
  readonly anyKey: string;
}

export interface Consequences {
  /** A change breaks something for these; `outcome`: what becomes of the first of them. */
  blame(key: string, what: string, outcome: Outcome, who: readonly Touched[]): void;
  /** They read what changes, which breaks nothing. */
  touch(key: string, who: readonly Touched[]): void;
  reasonsOf(key: string): readonly BreakingReason[];
  touchedBy(key: string): readonly Touched[];
}

export function createConsequences(): Consequences {
  const reasons = new Map<
    string,
    Map<string, { readonly what: string; readonly outcome: Outcome; readonly who: Touched[] }>
  >();
  const touched = new Map<string, Touched[]>();
  const touch = (key: string, who: readonly Touched[]): void => {
    const known = touched.get(key);
    if (known === undefined) touched.set(key, [...who]);
    else known.push(...who);
  };
  return {
    touch,
    blame(key, what, outcome, who) {
      const known = reasons.get(key) ?? new Map<string, { what: string; outcome: Outcome; who: Touched[] }>();
      reasons.set(key, known);
      const same = known.get(what);
      if (same === undefined) known.set(what, { what, outcome, who: [...who] });
      else same.who.push(...who);
      touch(key, who);
    },
    reasonsOf: (key) =>
      [...(reasons.get(key)?.values() ?? [])].map(({ what, outcome, who }) => {
        const merged = mergeTouched(who);
        return { what, who: describeAll(merged, outcome), touched: merged };
      }),
    touchedBy: (key) => mergeTouched(touched.get(key) ?? []),
  };
}

// Said of models, of each, as it is their versions that something becomes of; else of whoever comes first.
function describeAll(all: readonly Touched[], [one, many]: Outcome): string[] {
  const kind = all[0]?.kind;
  return describeEach(all, (who) => {
    if (who.kind !== kind) return describeTouched(who);
    return `${describeTouched(who)} (${who.kind === 'model' && who.versions.length > 1 ? many : one})`;
  });
}

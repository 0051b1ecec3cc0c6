// The plan: every object that differs between two manifests, what differs in it, and what that would break.
// Pure: a manifest before, one after, and what is in use.

import { canonicalJson } from '../../core/index.ts';
import { type Manifest, own } from '../../definitions/index.ts';
import { findBreaking } from './breaking.ts';
import { describeDifference } from './difference.ts';
import type { InUse } from './in-use.ts';
import { OBJECT_SECTIONS, type ObjectKind } from './objects.ts';
import { shownSpec } from './shown-spec.ts';

export interface PlanChange {
  readonly kind: 'add' | 'change' | 'remove';
  readonly object: ObjectKind;
  readonly name: string;
  /** A line for each difference, such as `features.late_rate_7d: + mean(is_late) over 7d`; empty unless changed. */
  readonly detail: readonly string[];
  /** Why it would break something in use; null when it doesn't. */
  readonly breaking: string | null;
  /** The object as it will be, without a password; null when removed. */
  readonly spec: unknown;
}

export interface Plan {
  /** The revision that it starts from; 0 before the first apply. Give it to `apply` as `expectedRevision`. */
  readonly baseRevision: number;
  readonly changes: readonly PlanChange[];
  /** Those of `changes` that break something in use. */
  readonly breaking: readonly PlanChange[];
}

export function makePlan(before: Manifest | undefined, after: Manifest, baseRevision: number, inUse: InUse): Plan {
  const differing = findDiffering(before, after);
  const reasons =
    before === undefined
      ? new Map<string, string[]>()
      : findBreaking(before, after, inUse, (object, name) => differing.has(`${object}/${name}`));
  const changes = [...differing.values()].map((change) => ({
    ...change,
    breaking: reasons.get(`${change.object}/${change.name}`)?.join('; ') ?? null,
  }));
  return { baseRevision, changes, breaking: changes.filter((change) => change.breaking !== null) };
}

function findDiffering(before: Manifest | undefined, after: Manifest): Map<string, Omit<PlanChange, 'breaking'>> {
  const found = new Map<string, Omit<PlanChange, 'breaking'>>();
  for (const [object, section] of OBJECT_SECTIONS) {
    const old: Readonly<Record<string, unknown>> = before?.[section] ?? {};
    const next: Readonly<Record<string, unknown>> = after[section];
    for (const name of [...new Set([...Object.keys(old), ...Object.keys(next)])].sort()) {
      const [was, is] = [own(old, name), own(next, name)];
      if (is === undefined) {
        found.set(`${object}/${name}`, { kind: 'remove', object, name, detail: [], spec: null });
      } else if (was === undefined) {
        found.set(`${object}/${name}`, { kind: 'add', object, name, detail: [], spec: shownSpec(is) });
      } else if (canonicalJson(was) !== canonicalJson(is)) {
        const detail = describeDifference(was, is);
        found.set(`${object}/${name}`, { kind: 'change', object, name, detail, spec: shownSpec(is) });
      }
    }
  }
  return found;
}

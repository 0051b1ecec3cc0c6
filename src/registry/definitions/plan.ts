// The plan: every object that differs between two manifests, what differs in it, what that would break and whom it touches,
// and which views have to be filled. Pure: a manifest before, one after, and what is in use.

import { canonicalJson } from '../../core/index.ts';
import { type Manifest, own, type PipelineSpec } from '../../definitions/index.ts';
import { findConsequences } from './breaking.ts';
import type { BreakingReason } from './consequences.ts';
import type { Owner } from './feature-parts.ts';
import { withCodeAlone } from './function-refs.ts';
import type { InUse } from './in-use.ts';
import type { ChangeLine } from './lines/change-line.ts';
import { changeLines } from './lines/change-lines.ts';
import { travelLines } from './lines/pipeline-lines.ts';
import { OBJECT_SECTIONS, type ObjectKind, sectionOf } from './objects.ts';
import { keptColumnHints } from './kept-columns.ts';
import { findRenameHints } from './rename-hints.ts';
import { findRenames, type Renames } from './renames.ts';
import { shownSpec } from './shown-spec.ts';
import type { Touched } from './touched.ts';
import { type ViewChange, viewChanges } from './view-changes.ts';

export interface PlanChange {
  /** `rename`: under another name, and perhaps changed besides. */
  readonly kind: 'add' | 'change' | 'rename' | 'remove';
  readonly object: ObjectKind;
  readonly name: string;
  /** What it was called; null where it isn't renamed. */
  readonly former: string | null;
  /**
   * What differs, a line each, with what it is a difference in. Of an object that comes only which text files travel with its
   * steps, of one that goes nothing.
   */
  readonly lines: readonly ChangeLine[];
  /** The same as plain text, such as `feature "late_rate_7d": mean(is_late) over 7d → mean(is_late) over 14d`. */
  readonly detail: readonly string[];
  /** Why it would break something in use, and for whom; null when it doesn't. */
  readonly breaking: string | null;
  /** The same one by one. */
  readonly reasons: readonly BreakingReason[];
  /** Who reads what it changes. */
  readonly touched: readonly Touched[];
  /** Renames that its author may have meant, and columns that versions which are kept go on reading: a sentence each. */
  readonly hints: readonly string[];
  /** The object as it will be, without a password; null when removed. */
  readonly spec: unknown;
}

export interface Plan {
  /** The revision that it starts from; 0 before the first apply. Give it to `apply` as `expectedRevision`. */
  readonly baseRevision: number;
  readonly changes: readonly PlanChange[];
  /** Those of `changes` that break something in use. */
  readonly breaking: readonly PlanChange[];
  /** Views that get another version. */
  readonly views: readonly ViewChange[];
}

/** Both manifests have the names that data lies under (`withStoredNames`). */
export function makePlan(before: Manifest | undefined, after: Manifest, baseRevision: number, inUse: InUse): Plan {
  const renames = before === undefined ? undefined : findRenames(before, after);
  const differing = findDiffering(before, after, renames);
  const [first] = differing;
  if (first === undefined) return { baseRevision, changes: [], breaking: [], views: [] };
  const keys = keysByOwner(differing);
  const found =
    before === undefined || renames === undefined
      ? undefined
      : findConsequences({
          before,
          after,
          renames,
          inUse,
          keyOf: ({ object, name }) => keys.get(`${object}/${name}`),
          anyKey: keyOf(first),
        });
  const renameHints =
    before === undefined || renames === undefined ? undefined : findRenameHints(before, after, renames);
  const hintsOf = ({ object, name }: Difference): readonly string[] =>
    object === 'source'
      ? keptColumnHints(own(before?.sources ?? {}, name), own(after.sources, name), inUse.models)
      : (renameHints?.(object, name) ?? []);
  const changes = differing.map((change): PlanChange => {
    const reasons = found?.reasonsOf(keyOf(change)) ?? [];
    return {
      ...change,
      breaking: reasons.length === 0 ? null : reasons.map(({ what, who }) => `${what}: ${who.join(', ')}`).join('; '),
      reasons,
      touched: found?.touchedBy(keyOf(change)) ?? [],
      hints: hintsOf(change),
    };
  });
  return {
    baseRevision,
    changes,
    breaking: changes.filter(({ breaking }) => breaking !== null),
    views: viewChanges(before, after, renames, inUse),
  };
}

type Difference = Omit<PlanChange, 'breaking' | 'reasons' | 'touched' | 'hints'>;

function findDiffering(before: Manifest | undefined, after: Manifest, renames: Renames | undefined): Difference[] {
  // Another bundle of the same code is no difference.
  const [plainBefore, plainAfter] = [before === undefined ? undefined : withCodeAlone(before), withCodeAlone(after)];
  return OBJECT_SECTIONS.flatMap(([object, section]) => {
    const old = plainBefore === undefined ? {} : sectionOf(plainBefore, section);
    const next = sectionOf(plainAfter, section);
    const specs = sectionOf(after, section);
    const names = [...new Set([...Object.keys(old), ...Object.keys(next)])].sort();
    return names.flatMap((name): Difference[] => {
      // It is told by its new name.
      if (renames?.later(object, name) !== undefined) return [];
      const former = renames?.former(object, name) ?? null;
      const [was, is] = [own(old, former ?? name), own(next, name)];
      const of = { object, name, former, lines: [], detail: [] };
      if (is === undefined) return [{ ...of, kind: 'remove', spec: null }];
      const spec = shownSpec(own(specs, name));
      if (was === undefined) {
        const lines = object === 'pipeline' ? travelLines(is as PipelineSpec) : [];
        return [{ ...of, kind: 'add', lines, detail: lines.map(({ text }) => text), spec }];
      }
      if (former === null && canonicalJson(was) === canonicalJson(is)) return [];
      // Objects that differ are in two manifests.
      const given = { before: before as Manifest, after, renames: renames as Renames };
      const lines = changeLines(object, was, is, given);
      const detail = lines.map(({ text }) => text);
      return [{ ...of, kind: former === null ? 'change' : 'rename', lines, detail, spec }];
    });
  });
}

function keyOf({ object, name }: Owner): string {
  return `${object}/${name}`;
}

/** Of each object that changes, by its name before and after. */
function keysByOwner(differing: readonly Difference[]): ReadonlyMap<string, string> {
  const keys = new Map(differing.map((change) => [keyOf(change), keyOf(change)]));
  for (const { object, name, former } of differing) {
    if (former !== null && !keys.has(`${object}/${former}`)) keys.set(`${object}/${former}`, `${object}/${name}`);
  }
  return keys;
}

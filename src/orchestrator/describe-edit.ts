// What an edit changed in a pipeline, as sentences that are shown when a run of it is resumed.

import { canonicalJson } from '../core/index.ts';
import type { PipelineSpec } from '../definitions/index.ts';
import { graphOf, type Node } from './engine/graph.ts';

export interface Edit {
  readonly step: string;
  /** A sentence about the step or group, without its name. */
  readonly words: string;
}

/**
 * Steps and groups in the order of the present pipeline, then those that were removed. Which items are kept, new or dropped is known
 * later, once a step's items are listed.
 */
export function editsOf(before: PipelineSpec, now: PipelineSpec): readonly Edit[] {
  const [was, is] = [graphOf(before), graphOf(now)];
  const edits: Edit[] = [];
  for (const node of is.nodes.values()) {
    const { name: step } = node;
    const earlier = was.nodes.get(step);
    if (earlier === undefined) edits.push({ step, words: `the ${node.kind} was added` });
    else edits.push(...changesOf(earlier, node).map((words) => ({ step, words })));
  }
  for (const { kind, name: step } of was.nodes.values())
    if (!is.nodes.has(step)) edits.push({ step, words: `the ${kind} was removed` });
  return edits;
}

function changesOf(was: Node, is: Node): readonly string[] {
  if (!isSamePlace(was, is)) return ['it has become a step or a group, or was moved to another group, and begins anew'];
  const changes: string[] = [];
  if (was.kind === 'step' && is.kind === 'step') {
    if (isOther(was.spec.action, is.spec.action)) changes.push('its code was changed; what has finished is kept');
    if (isOther(was.spec.needs, is.spec.needs)) changes.push('its needs were changed; what has finished is kept');
  }
  if (was.kind === 'group' && is.kind === 'group' && was.spec.last !== is.spec.last)
    changes.push(
      `its result is now that of "${is.spec.last}", no longer that of "${was.spec.last}"; what was made from earlier results is kept`,
    );
  if (hasOtherItems(was, is)) changes.push('its foreach was changed');
  return changes;
}

/** The sentence of an event of an edit: `"fit": items: 3 kept, 3 new, 3 dropped`. */
export function sentenceOf({
  step = null,
  scope = null,
  message = null,
}: {
  readonly step?: string | null;
  readonly scope?: string | null;
  readonly message?: string | null;
}): string {
  const place = scope === null || scope === '' ? '' : `[${scope}]`;
  return `"${step ?? ''}"${place}: ${message ?? ''}`;
}

/** Steps and groups whose items the edit may have changed, and those that need their results, directly or through others. */
export function affectedBy(before: PipelineSpec, now: PipelineSpec): ReadonlySet<string> {
  const [was, is] = [graphOf(before), graphOf(now)];
  const affected = new Set<string>();
  const affect = (name: string): void => {
    if (affected.has(name)) return;
    affected.add(name);
    for (const waiting of is.waiting.get(name) ?? []) affect(waiting.name);
    const group = is.nodes.get(name)?.around.at(-1);
    if (group !== undefined) affect(group);
  };
  for (const node of is.nodes.values()) {
    const earlier = was.nodes.get(node.name);
    if (earlier === undefined) continue;
    if (!isSamePlace(earlier, node) || hasOtherItems(earlier, node)) affect(node.name);
  }
  return affected;
}

/** Whether a run can use the rows of the one for the other: both are of one kind and in the same groups. */
export function isSamePlace(one: Node, other: Node): boolean {
  return one.kind === other.kind && one.around.join('/') === other.around.join('/');
}

function hasOtherItems({ foreach: was }: Node, { foreach: is }: Node): boolean {
  // The order of a grid's axes counts, and canonical JSON sorts them.
  const axesOf = (foreach: Node['foreach']) => (foreach?.kind === 'grid' ? Object.keys(foreach.axes) : []);
  return isOther(was, is) || isOther(axesOf(was), axesOf(is));
}

function isOther(was: unknown, is: unknown): boolean {
  return canonicalJson(was ?? null) !== canonicalJson(is ?? null);
}

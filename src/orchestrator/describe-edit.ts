// What an edit made of a pipeline, as somebody who goes on with a run of it is told.

import { canonicalJson } from '../core/index.ts';
import type { PipelineSpec } from '../definitions/index.ts';
import { graphOf, type Node } from './engine/graph.ts';

export interface Edit {
  readonly step: string;
  /** A sentence about the step or group, without its name. */
  readonly words: string;
}

/** Steps and groups in the order of the pipeline of now, then those that it has no more. Of items it is known later what became of each. */
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
  if (!isSamePlace(was, is)) return ['it is another kind of thing by now, or lies in another group, and begins anew'];
  const changes: string[] = [];
  if (was.kind === 'step' && is.kind === 'step') {
    if (isOther(was.spec.action, is.spec.action)) changes.push('its code is another; what has finished is kept');
    if (isOther(was.spec.needs, is.spec.needs)) changes.push('its needs are others; what has finished is kept');
  }
  if (was.kind === 'group' && is.kind === 'group' && was.spec.last !== is.spec.last)
    changes.push(
      `it gives the results of "${is.spec.last}", no more those of "${was.spec.last}"; what was made of those is kept`,
    );
  if (hasOtherItems(was, is)) changes.push('its foreach is another');
  return changes;
}

/** Of an event that tells an edit : `"fit": items: 3 kept, 3 new, 3 dropped`. */
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

/** Steps and groups that may have other items by now, and those that take results of them, directly or through others. */
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

/** Whether the rows of the one can be gone on with as those of the other. */
export function isSamePlace(one: Node, other: Node): boolean {
  return one.kind === other.kind && one.around.join('/') === other.around.join('/');
}

function hasOtherItems({ foreach: was }: Node, { foreach: is }: Node): boolean {
  // The axes of a grid are in an order, which a canonical text forgets.
  const axesOf = (foreach: Node['foreach']) => (foreach?.kind === 'grid' ? Object.keys(foreach.axes) : []);
  return isOther(was, is) || isOther(axesOf(was), axesOf(is));
}

function isOther(was: unknown, is: unknown): boolean {
  return canonicalJson(was ?? null) !== canonicalJson(is ?? null);
}

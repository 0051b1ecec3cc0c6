// A pipeline as the engine walks it: steps and groups as nodes, with the groups around each, what each waits for and what
// waits for it.

import type { StepKey } from './batch.ts';
import type { Foreach, GroupSpec, PipelineSpec, StepSpec } from '../../definitions/index.ts';

interface NodeParts {
  readonly name: string;
  /** Its place in the order declared: groups before steps. */
  readonly place: number;
  /** The groups around it, outermost first: a row's scope has an item of each. */
  readonly around: readonly string[];
  /** The steps and groups whose rows must have ended; each lies around it, or in the same group. */
  readonly needs: readonly string[];
  readonly foreach: Foreach | undefined;
}

export type Node =
  | (NodeParts & { readonly kind: 'step'; readonly spec: StepSpec })
  /** Its row counts items, as a step's counts tasks. */
  | (NodeParts & { readonly kind: 'group'; readonly spec: GroupSpec });

export interface Graph {
  readonly pipeline: PipelineSpec;
  /** In the order declared, groups before what is in them. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** Who waits for a node. */
  readonly waiting: ReadonlyMap<string, readonly Node[]>;
  /** What lies in a group, not deeper; '' is the run itself. */
  readonly inside: ReadonlyMap<string, readonly Node[]>;
}

/** `pipeline` is valid: its compile step has seen to names, needs and cycles. */
export function graphOf(pipeline: PipelineSpec): Graph {
  const groups = new Map((pipeline.groups ?? []).map((group) => [group.name, group]));
  const aroundOf = (name: string | undefined): readonly string[] => {
    const group = name === undefined ? undefined : groups.get(name);
    return group === undefined ? [] : [...aroundOf(group.in), group.name];
  };
  const nodes = new Map<string, Node>();
  for (const spec of groups.values()) {
    const needs = spec.foreach.kind === 'result' ? [spec.foreach.of] : [];
    const { name, foreach } = spec;
    nodes.set(name, { kind: 'group', name, place: nodes.size, spec, around: aroundOf(spec.in), needs, foreach });
  }
  for (const spec of pipeline.steps) {
    const { name, foreach } = spec;
    nodes.set(name, {
      kind: 'step',
      name,
      place: nodes.size,
      spec,
      around: aroundOf(spec.in),
      needs: neededBy(spec),
      foreach,
    });
  }
  const waiting = new Map<string, Node[]>();
  const inside = new Map<string, Node[]>([['', []]]);
  for (const node of nodes.values()) {
    for (const need of node.needs) listed(waiting, need).push(node);
    listed(inside, node.around.at(-1) ?? '').push(node);
  }
  return { pipeline, nodes, waiting, inside };
}

/** The rows that a run begins with: those at the top. */
export function firstRows({ inside }: Graph): readonly StepKey[] {
  return (inside.get('') ?? []).map(({ name }) => ({ step: name, scope: '' }));
}

/** The steps and groups whose results a step takes, or goes by. */
export function neededBy({ needs, foreach, when, unless }: StepSpec): readonly string[] {
  const over = foreach?.kind === 'result' ? [foreach.of] : [];
  return [...new Set([...Object.values(needs), ...over, ...[when, unless].filter((one) => one !== undefined)])];
}

/** The items of one group after another, outermost first. */
export function scopeItems(scope: string): readonly number[] {
  return scope === '' ? [] : scope.split('/').map(Number);
}

/** The scope of a row that lies around one, `depth` groups deep. */
export function scopeAround(scope: string, depth: number): string {
  return depth === 0 ? '' : scope.split('/').slice(0, depth).join('/');
}

export function scopeInside(scope: string, item: number): string {
  return scope === '' ? String(item) : `${scope}/${item}`;
}

function listed(map: Map<string, Node[]>, name: string): Node[] {
  let list = map.get(name);
  if (list === undefined) map.set(name, (list = []));
  return list;
}

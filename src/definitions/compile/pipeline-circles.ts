// Circles among a pipeline's steps and groups. A group has two sides: it opens once its items are there, and ends once all in
// it have; what is in it waits for the first, what needs it for the second.

import type { AuthoredPipeline } from '../authoring/authored.ts';
import type { GroupSpec, StepSpec } from '../pipeline-spec.ts';
import { findCircles } from './circles.ts';
import type { Mistakes } from './mistakes.ts';
import type { PipelineMembers } from './pipeline-members.ts';

export function refuseStepCircles(
  pipeline: AuthoredPipeline,
  steps: readonly StepSpec[],
  groups: readonly GroupSpec[],
  members: PipelineMembers,
  mistakes: Mistakes,
): void {
  // Of two with one name it can't be told which is meant.
  if (members.byName.size < members.all.size) return;
  for (const circle of findCircles(waitsOf(steps, groups))) {
    // A group that ends waits for its opening: that is one place on the way.
    const names = circle.filter((node, at) => !(node[0] === '<' && circle[at - 1] === `=${node.slice(1)}`));
    const found = circle.map((node) => members.byName.get(node.slice(1)));
    const of = found.find((member) => member?.kind === 'step') ?? found[0];
    mistakes.add(
      pipeline,
      `its steps need each other in a circle: ${names.map((node) => node.slice(1)).join(' → ')}. Take one of these needs out`,
      of?.kind === 'group' ? [1] : [2, 'needs'],
      of,
    );
  }
}

/** Nodes are names: of what ends, after `=`; of a group that opens, after `<`. */
function waitsOf(steps: readonly StepSpec[], groups: readonly GroupSpec[]): Map<string, string[]> {
  const waits = new Map<string, string[]>();
  const open = (group: string | undefined): string[] => (group === undefined ? [] : [`<${group}`]);
  const over = (foreach: StepSpec['foreach']): string[] => (foreach?.kind === 'result' ? [`=${foreach.of}`] : []);
  for (const { name, needs, foreach, in: group } of steps)
    waits.set(`=${name}`, [...Object.values(needs).map((need) => `=${need}`), ...over(foreach), ...open(group)]);
  for (const { name, foreach, in: group } of groups) {
    waits.set(`<${name}`, [...over(foreach), ...open(group)]);
    waits.set(`=${name}`, [`<${name}`]);
  }
  for (const { name, in: group } of [...steps, ...groups])
    if (group !== undefined) waits.get(`=${group}`)?.push(`=${name}`);
  return waits;
}

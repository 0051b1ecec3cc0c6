// Circles among a pipeline's steps and groups. A group ends once its items are there and all in it has ended. That what is in
// it waits for its items, too, makes no circle of its own: no one from outside can wait for a part of it.

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
    const step = circle.map((name) => members.byName.get(name)).find((member) => member?.kind === 'step');
    mistakes.add(
      pipeline,
      `its steps need each other in a circle: ${circle.join(' → ')}. Take one of these needs out`,
      [2, 'needs'],
      step,
    );
  }
}

function waitsOf(steps: readonly StepSpec[], groups: readonly GroupSpec[]): Map<string, string[]> {
  const waits = new Map<string, string[]>();
  for (const { name, needs } of steps) waits.set(name, Object.values(needs));
  for (const { name, foreach } of groups) waits.set(name, foreach.kind === 'result' ? [foreach.of] : []);
  for (const { name, in: group } of [...steps, ...groups]) if (group !== undefined) waits.get(group)?.push(name);
  return waits;
}

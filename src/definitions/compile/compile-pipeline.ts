// A pipeline as written to its spec: a directed acyclic graph, checked.

import type { AuthoredPipeline } from '../authoring/authored.ts';
import { AUTHORED } from '../authoring/authored-mark.ts';
import type { PipelineSpec } from '../pipeline-spec.ts';
import { compileGroup } from './compile-group.ts';
import { compileStep, type StepDeps } from './compile-step.ts';
import { compileTimes } from './compile-triggers.ts';
import { compileAbout, compileFields } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { identifierMistake, labelMistake } from './names.ts';
import { refuseStepCircles } from './pipeline-circles.ts';
import type { Member, PipelineMembers } from './pipeline-members.ts';

export function compilePipeline(pipeline: AuthoredPipeline, deps: StepDeps): PipelineSpec {
  const { mistakes } = deps;
  const nameMistake = labelMistake(pipeline.name);
  if (nameMistake !== undefined) mistakes.add(pipeline, nameMistake, [0]);
  const times = compileTimes(pipeline, mistakes);
  const members = membersOf(pipeline, mistakes);
  const groups = members.groups.flatMap((group) => compileGroup(pipeline, group, members, mistakes) ?? []);
  const steps = members.steps.map((step) => compileStep(pipeline, step, members, deps));
  refuseStepCircles(pipeline, steps, groups, members, mistakes);
  return {
    ...compileAbout(pipeline, pipeline.about, [1], mistakes),
    name: pipeline.name,
    ...times,
    params: compileFields(pipeline.params, pipeline, 'parameter', [1, 'params'], identifierMistake, mistakes),
    ...(groups.length === 0 ? {} : { groups }),
    steps,
  };
}

/** Those that have a name; steps and groups share one space of them. */
function membersOf(pipeline: AuthoredPipeline, mistakes: Mistakes): PipelineMembers {
  if (pipeline.steps.length === 0) mistakes.add(pipeline, "it has no steps: add one with .step('name', …)");
  const byName = new Map<string, Member>();
  const named = <M extends Member>(member: M): M[] => {
    // Steps see their item under a group's name.
    const mistake = member.kind === 'group' ? identifierMistake(member.name) : labelMistake(member.name);
    if (mistake !== undefined) mistakes.add(pipeline, `${member.kind} ${mistake}`, [0], member);
    if (typeof member.name !== 'string') return [];
    const other = byName.get(member.name);
    if (other !== undefined) {
      const where = mistakes.whereIs(other);
      const what = other.kind === member.kind ? `two ${member.kind}s are` : `a step and a group are`;
      const text = `${what} named "${member.name}"${where && `, the other${where}`}. Rename one of them`;
      mistakes.add(pipeline, text, [0], member);
    }
    byName.set(member.name, member);
    return [member];
  };
  const groups = pipeline.groups.flatMap(({ [AUTHORED]: group }) => named(group));
  const steps = pipeline.steps.flatMap(({ [AUTHORED]: step }) => named(step));
  return { steps, groups, byName, all: new Set<Member>([...groups, ...steps]) };
}

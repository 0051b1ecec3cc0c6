// A group of a pipeline's steps as written to its spec.

import { authored, type AuthoredGroup, type AuthoredPipeline } from '../authoring/authored.ts';
import type { GroupSpec } from '../pipeline-spec.ts';
import { compileForeach } from './compile-needs.ts';
import { describeAuthored, type Mistakes } from './mistakes.ts';
import { type PipelineMembers, type Report, titleOfMember } from './pipeline-members.ts';

/** Undefined where it has no last step: a mistake is told then. */
export function compileGroup(
  pipeline: AuthoredPipeline,
  group: AuthoredGroup,
  members: PipelineMembers,
  mistakes: Mistakes,
): GroupSpec | undefined {
  const report: Report = (message, path) => mistakes.add(pipeline, `${titleOfMember(group)}${message}`, path, group);
  const foreach = compileForeach(group, group.foreach, [1], members, report);
  const last = lastOf(group, members, report);
  if (foreach === undefined || last === undefined) return undefined;
  return { name: group.name, foreach, ...(group.in === undefined ? {} : { in: group.in.name }), last };
}

function lastOf(group: AuthoredGroup, members: PipelineMembers, report: Report): string | undefined {
  const at = [2];
  const { last } = group;
  if (last === undefined) {
    report(": foreach('name', items, …) needs a function that adds its steps and gives the last: (q) => q.step(…)", at);
    return undefined;
  }
  const given = authored(last.given);
  const member = given?.kind === 'step' || given?.kind === 'group' ? given : undefined;
  if (member === undefined || !members.all.has(member)) {
    const came = last.given === undefined ? 'nothing' : describeAuthored(last.given);
    report(`: its function must give the last of its steps, what .step(…) gave, got ${came}`, at);
    return undefined;
  }
  if (member.in === group) return member.name;
  const title = titleOfMember(member);
  const rest =
    member.in === undefined || member.in === group.in
      ? 'which is not in it. Add it by what the function is given: (q) => q.step(…)'
      : `which is in ${titleOfMember(member.in)}. Give that group, or a step beside it`;
  report(`: its function gives ${title}, ${rest}`, at);
  return undefined;
}
